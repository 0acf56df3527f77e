"""The number of an output folder's format, in DIR/format.json: asked before all else, and written before all else.

    {"format": 3, "kgmill": "0.3.0"}                        all that is in DIR is of format 3
    {"format": 3, "kgmill": "0.3.0", "rebuilt_from": 1}     a build is rebuilding an older folder, or died of it: its
                                                            parts are told apart by their names, its graph is the old

Folders of 0.1 have no number and are of format 1. Those of 0.2, of format 2, have the same graph as those of 3, and
tables with other columns, which `schemas.tables.conform` knows: they are read, and rebuilt by the next build. The
number is raised when something of an older folder would be misread: a name in DIR, a key of its JSON files, a column, a
graph that is to be asked in another way. What a stage makes of its input has a `VERSION` of its own, which is in the
names of parts.
"""

from __future__ import annotations

import json
from typing import Any

from kgmill import __version__
from kgmill.pipelines.output import layout
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.storage.files import to_json
from kgmill.schemas.errors import OutputError

FORMAT = 3
_READ = 2  # and later ones: what they hold can be asked without a rebuild
_FIRST = 1  # of folders without a number


def check_format(store: Store) -> None:
    """Makes sure that this version may build in a folder, or tidy it; touches nothing.

    Raises:
        OutputError: it is of a later format, or its number is damaged.
    """
    _numbers(store)


def check_readable(store: Store) -> None:
    """Makes sure that what a folder holds is of a format that this version reads; touches nothing.

    Raises:
        OutputError: it isn't, or its number is damaged.
    """
    number, older = _numbers(store)
    if number and (older or number) < _READ:
        raise OutputError(
            f"{store.where}: holds a graph of format {older or number}, this kgmill reads format {FORMAT}; "
            f"run kgmill build SOURCE... --out {store.where}, which rebuilds it"
        )


def begin(store: Store) -> str:
    """Gives the folder its number; returns a line to tell where an older one is to be rebuilt.

    Only the holder of the lock may, and only before it writes anything else.
    """
    number, older = _numbers(store)
    if number == FORMAT:
        return ""
    before = older or number
    _write(store, before)
    return f"{store.where}: of format {before}, is rebuilt in format {FORMAT}" if before else ""


def settle(store: Store) -> None:
    """Says that all is of this format now."""
    if _numbers(store)[1]:
        _write(store, 0)


def _write(store: Store, rebuilt_from: int) -> None:
    older = {"rebuilt_from": rebuilt_from} if rebuilt_from else {}
    content = {"format": FORMAT, "kgmill": __version__, **older}
    store.storage.write(layout.FORMAT, to_json(content))


def _numbers(store: Store) -> tuple[int, int]:
    """The folder's number, 0 where no build ever was, and the one that it is being rebuilt from, 0 for none."""
    path = store.storage.place(layout.FORMAT)
    try:
        content: dict[str, Any] = json.loads(store.storage.read(layout.FORMAT))
        number, older = content["format"], content.get("rebuilt_from", 0)
    except (FileNotFoundError, NotADirectoryError):
        return (_FIRST if store.storage.children(layout.PARTS) else 0), 0
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise _damaged(path) from None
    if type(number) is not int or type(older) is not int or number < 1:
        raise _damaged(path)
    if number > FORMAT:
        raise OutputError(
            f"{store.where}: is of format {number} (kgmill {content.get('kgmill', 'unknown')}), this kgmill reads "
            f"formats up to {FORMAT}; use that kgmill or a later one, or another folder"
        )
    return number, older


def _damaged(path: str) -> OutputError:
    return OutputError(
        f'{path}: damaged; wanted {{"format": {FORMAT}}}, or a smaller number. If no later kgmill wrote here, remove '
        f"the file and run kgmill build, which rebuilds the folder as one of format {_FIRST}"
    )
