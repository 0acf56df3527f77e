"""Judges a build of Re-DocRED's documents with ../shared/tools/score_redocred.py, which knows tables as 0.1 had them.

    python -m benchmarks.whole_graph prepare 400 500 DOCUMENTS.jsonl
    kgmill build DOCUMENTS.jsonl --out DIR
    python -m benchmarks.whole_graph score 400 500 DIR [--min-confidence P]

Gold are the relations of ../shared/data/general/general48.ontology.toml, whatever the model of the build knows.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

TOOL = Path("../shared/tools/score_redocred.py")
ONTOLOGY = Path("../shared/data/general/general48.ontology.toml")
DOCUMENTS = Path("../shared/data/redocred/dev.json")
_NOW = {"begin": "mention_begin", "end": "mention_end"}  # columns of the table `mentions`


def tool() -> ModuleType:
    """The scorer, with the tables as they are now to read."""
    spec = importlib.util.spec_from_file_location("score_redocred", TOOL)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{TOOL}: not there")
    scorer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scorer)
    read = scorer.read

    def renamed(folder: Path, table: str, columns: list[str]) -> list[dict[str, Any]]:
        if table != "mentions":
            return list(read(folder, table, columns))
        rows = read(folder, table, [_NOW.get(column, column) for column in columns])
        found = [{column: row[_NOW.get(column, column)] for column in columns} for row in rows]
        for row in found:  # a date is a value, and equal ones are one to the gold
            row["entity_id"] = row["entity_id"] or f"value {row['text']}"
        return found

    scorer.read = renamed  # type: ignore[attr-defined]
    return scorer


def main() -> None:
    """`python -m benchmarks.whole_graph`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("prepare", "score"))
    parser.add_argument("first", type=int)
    parser.add_argument("end", type=int)
    parser.add_argument("path", type=Path)
    parser.add_argument("--min-confidence", type=float, default=0.0)
    asked = parser.parse_args()
    documents = json.loads(DOCUMENTS.read_text(encoding="utf-8"))[asked.first : asked.end]
    scorer = tool()
    if asked.what == "prepare":
        with asked.path.open("w", encoding="utf-8") as file:
            for i, document in enumerate(documents):
                text, _ = scorer.layout(document)
                file.write(json.dumps({"id": scorer.doc_id(i), "text": text}, ensure_ascii=False) + "\n")
        return
    scorer.use_ontology(ONTOLOGY)
    with TemporaryDirectory() as folder:
        gold = Path(folder) / "gold.json"
        gold.write_text(json.dumps(documents), encoding="utf-8")
        found = scorer.score(gold, asked.path, asked.min_confidence, True)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
