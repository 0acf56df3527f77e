"""docs/extending.md: its two files, put where they say, are a graph format and a source format."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", DOC, re.DOTALL))
SUBTITLES = """\
1
00:00:01,000 --> 00:00:02,500
John Bardeen worked for Bell Laboratories.

2
00:00:03,000 --> 00:00:04,000
Claude Shannon lived in Winchester.
"""


@pytest.fixture
def extended(tmp_path):
    """A folder with a copy of kgmill that has both files; the rooms that they don't touch are links."""
    package = tmp_path / "root" / "kgmill"
    package.mkdir(parents=True)
    for path in (ROOT / "kgmill").glob("*.py"):
        shutil.copy(path, package)
    for room in ("schemas", "extractor", "flows"):
        (package / room).symlink_to(ROOT / room)
    shutil.copytree(ROOT / "pipelines", package / "pipelines", ignore=shutil.ignore_patterns("__pycache__"))
    for path, code in FILES.items():
        (package / path).write_text(code, encoding="utf-8")
    return package.parent


def kgmill(root, *arguments):
    command = [sys.executable, "-P", "-m", "kgmill", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_two_files_are_two_formats(extended, tmp_path):
    """A build of the worked example reads the one and writes the other, and nothing else had to be changed."""
    assert sorted(FILES) == ["pipelines/graph/formats/edge_list.py", "pipelines/sources/formats/subtitles.py"]
    (tmp_path / "film.srt").write_text(SUBTITLES)
    options = ["--model", ROOT / "benchmarks" / "tiny_model", "--device", "cpu", "--workers", "1", "--no-prefect"]
    options += ["--formats", "nq,edge-list", "--any-language"]
    done = kgmill(extended, "build", tmp_path / "film.srt", "--out", tmp_path / "out", *options)
    assert done.stdout.splitlines()[:1] == ["1 document read = 1 kept + 0 rejected; 0 reused"]
    graph = tmp_path / "out" / "graph"
    assert sorted(path.name for path in graph.iterdir()) == [
        "graph.edges.tsv.gz",
        "graph.nq.gz",
        "ontology.ttl",
        "shapes.ttl",
        "void.ttl",
    ]
    lines = gzip.decompress((graph / "graph.edges.tsv.gz").read_bytes()).decode().splitlines()
    n_facts = json.loads((tmp_path / "out" / "run.json").read_text())["graph"]["facts"]
    assert ([line.count("\t") for line in lines], n_facts > 0) == ([3] * n_facts, True)
    assert "-->" not in gzip.decompress((graph / "graph.nq.gz").read_bytes()).decode()
