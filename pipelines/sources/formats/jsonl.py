"""JSON lines: a line is a document."""

from __future__ import annotations

from functools import partial

from kgmill.pipelines.sources.formats import SourceFormat
from kgmill.pipelines.sources.formats.json import read_json

FORMAT = SourceFormat((".jsonl", ".ndjson"), partial(read_json, is_lines=True))
