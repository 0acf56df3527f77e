"""Send a model to a hub."""

from __future__ import annotations

import os
import sys
from typing import Annotated

from typer import Argument, Option

from kgmill.flows.notes import note
from kgmill.flows.terminal import say
from kgmill.schemas.text import printable

PANEL = "Model"
EXAMPLES = ("kgmill push models/mine ada/mine --private", "kgmill push models/mine ada/mine --dry-run")


def push(
    model: Annotated[str, Argument(metavar="MODEL", help="a model folder")],
    repository: Annotated[str, Argument(metavar="OWNER/NAME", help="the repository; made if there is none")],
    *,
    private: Annotated[bool, Option("--private", help="make a new repository that only its owner sees")] = False,
    message: Annotated[str, Option("--message", metavar="TEXT", help="of the commit")] = "Upload a model of kgmill",
    dry_run: Annotated[bool, Option("--dry-run", help="say what would be sent, and ask no network")] = False,
) -> None:
    """`kgmill push`: the token is that of HF_TOKEN; HF_ENDPOINT names another hub than huggingface.co."""
    from kgmill.extractor.hub import check_repository, pack, token_of
    from kgmill.extractor.hub import push as run
    from kgmill.extractor.modelfolder import find_model

    check_repository(repository)
    token = "" if dry_run else token_of(os.environ)
    parcel = pack(find_model(model))
    if parcel.left_out:
        note(f"not sent: {', '.join(parcel.left_out)}")
    for path in parcel.files:
        say(printable(f"{path.name:24} {path.stat().st_size:>12,} bytes"))
    if dry_run:
        say(printable(f"{len(parcel.files)} files, {parcel.n_bytes:,} bytes, would go to {repository}"))
        return
    url = run(parcel, repository, token, is_private=private, message=message, has_bars=sys.stderr.isatty())
    say(printable(f"{len(parcel.files)} files, {parcel.n_bytes:,} bytes, sent: {url}"))
