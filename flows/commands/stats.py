"""Data distributions, beside the paper's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from kgmill.flows.notes import note, note_unused
from kgmill.flows.options import DataFormat, Json
from kgmill.flows.terminal import show, show_json
from kgmill.schemas.text import printable_lines

PANEL = "Model"
EXAMPLES = ("kgmill stats examples/annotated/train.json",)


def stats(
    data: Annotated[list[str], Argument(metavar="FILE", help="annotated sentences")],
    *,
    form: DataFormat = "spert",
    hashes: Annotated[
        str | None,
        Option("--hashes", metavar="OUT.toml", help="write the sentences' hashes, for `train --exclude`"),
    ] = None,
    as_json: Json = False,
) -> None:
    """`kgmill stats`."""
    from kgmill.extractor.data.reach import beyond_reach
    from kgmill.extractor.data.readers import read_annotated
    from kgmill.extractor.data.stats import MAX_SPAN_WIDTH, format_stats, stats_of
    from kgmill.extractor.data.unused import format_unused

    sentences = read_annotated(data, form)
    note_unused(one for sentence in sentences for one in sentence.unused)
    for line in format_unused(beyond_reach(sentences, None, MAX_SPAN_WIDTH)):
        note(f"counted, but not trained on with max_span_width = {MAX_SPAN_WIDTH}: {line}")
    if hashes:
        from kgmill.extractor.training.lineage import write_hashes

        write_hashes(Path(hashes), sentences)
    if as_json:
        show_json(stats_of(sentences))
    else:
        show(printable_lines(format_stats(sentences)))
