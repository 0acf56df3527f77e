"""The names in an output folder, DIR. No other file says them.

DIR/format.json                                the number of its format
DIR/run.json, DIR/runs/                        the ledger of the last run, and of those before
DIR/parts/STAGE/UNIT.FINGERPRINT/              a committed part: its files and manifest.json (counts, checksums)
DIR/parts/STAGE/live.json                      the parts that make up the stage's last finished result, and a key
                                               that says what they were made from, where a stage gives one
DIR/tables/TABLE/UNIT.FINGERPRINT.parquet      the live rows, as links to the parts (copies where links can't be)
DIR/graph/, DIR/changes/                       the graph's files, and what each run added and removed
DIR/steps.json                                 which parts each stage was made of
DIR/forgotten.json                             hashes of the ids of documents that are kept out
DIR/report.html                                the page that `kgmill report` writes
DIR/load/, DIR/store/                          what was loaded where, and the store that `kgmill query` asks
DIR/.lock, DIR/.tmp/                           who holds it; work in progress that is not on one machine alone
"""

from __future__ import annotations

import re

FORMAT = "format.json"
RUN, RUNS = "run.json", "runs"
PARTS, MANIFEST, LIVE = "parts", "manifest.json", "live.json"
TABLES, GRAPH, CHANGES = "tables", "graph", "changes"
NQUADS = "graph.nq.gz"
FORGOTTEN, STEPS = "forgotten.json", "steps.json"
LOAD, QUERIED, TMP = "load", "store", ".tmp"
SURVEY = f"{LOAD}/survey"  # what the graph held when it was last loaded
REPORT = "report.html"

_PART_NAME = re.compile(r"^[^.]+\.[0-9a-f]{16}$")


def part_name(unit: str, fingerprint: str) -> str:
    """A part's folder name."""
    return f"{unit}.{fingerprint[:16]}"


def is_part_name(name: str) -> bool:
    """Whether a name is one that a part's folder can have."""
    return bool(_PART_NAME.match(name))


def is_table_name(name: str) -> bool:
    """Whether a name is one that a file of DIR/tables can have."""
    return name.endswith(".parquet") and is_part_name(name.removesuffix(".parquet"))


def part_place(stage: str, name: str) -> str:
    """A part's folder."""
    return f"{PARTS}/{stage}/{name}"


def part_of(name: str) -> str:
    """The folder of the part that a file is in; empty where it is in none."""
    pieces = name.split("/")
    return "/".join(pieces[:3]) if len(pieces) > 3 and pieces[0] == PARTS and is_part_name(pieces[2]) else ""


def live_list(stage: str) -> str:
    """The file that says what of a stage is live."""
    return f"{PARTS}/{stage}/{LIVE}"
