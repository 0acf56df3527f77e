"""An output on this machine: what works on files (asking a graph, loading it) needs it near."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.storage.files import remove, write_whole
from kgmill.schemas.errors import UsageError

_ALWAYS = (layout.FORMAT, f"{layout.GRAPH}/{layout.NQUADS}")


def remove_copy(store: Store) -> None:
    """Removes the copy that was kept of an output that lies elsewhere."""
    remove(_copy(store))


def _copy(store: Store) -> Path:
    return store.tmp.with_name(f"{store.tmp.name}.near")


@contextmanager
def nearby(output: str, names: Sequence[str] = (), back: str = "") -> Iterator[Path]:
    """A folder with an output's graph, ledger and format: the output itself on a disk, elsewhere a copy that is kept.

    The copy is made anew after each run.

    Args:
        output: its name, as people give it.
        names: other files and folders that are wanted.
        back: a folder whose files go back when the block is left, in whatever way.

    Raises:
        UsageError: no build ever ended there.
    """
    store = Store(output)
    storage = store.storage
    if (folder := storage.folder()) is not None:
        yield folder
        return
    store.create()
    copy = _copy(store)
    if not storage.has(layout.RUN):
        raise UsageError(f"{output}: no finished build here; run kgmill build SOURCE... --out {output} first")
    run = storage.read(layout.RUN)
    is_kept = (copy / layout.RUN).is_file() and (copy / layout.RUN).read_bytes() == run
    for name in (*names, *(() if is_kept else _ALWAYS)):
        remove(copy / name)  # what is there no more
        for entry in storage.entries(name):
            storage.fetch(entry.name, copy / entry.name)
    write_whole(copy / layout.RUN, run)
    try:
        yield copy
    finally:
        files = (path for path in (copy / back).rglob("*") if path.is_file()) if back else ()
        for path in files:
            storage.write(path.relative_to(copy).as_posix(), path.read_bytes())
