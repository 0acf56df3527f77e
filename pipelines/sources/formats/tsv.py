"""Tables of text with tabs between cells: a row is a document."""

from __future__ import annotations

from functools import partial

from kgmill.pipelines.sources.formats import SourceFormat
from kgmill.pipelines.sources.formats.csv import read_csv

FORMAT = SourceFormat((".tsv",), partial(read_csv, delimiter="\t"))
