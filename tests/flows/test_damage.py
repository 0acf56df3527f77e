"""Damage to each kind of file in an output folder: the next build heals to the undisturbed bytes."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

STAGES = ("ingest", "extract", "names", "resolve", "decode", "combine", "aggregate", "export", "graph", "rejects")


def visible(folder):
    """Every file under graph and tables, with its hash."""
    files = (path for name in ("graph", "tables") for path in (folder / name).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def one(folder, pattern):
    return sorted(folder.glob(pattern))[0]


@pytest.fixture
def linked(first, tmp_path):
    """A copy of the finished build in which the tables are links to the parts, as builds make them."""
    copy = Path(shutil.copytree(first.folder, tmp_path / "copy"))
    for path in [*copy.glob("tables/*/*.parquet"), *copy.glob("graph/*")]:
        table = path.parent.name if path.suffix == ".parquet" else path.stem
        name = f"{path.stem}/{table}.parquet" if path.suffix == ".parquet" else f"*/{path.name}"
        [part] = copy.glob(f"parts/*/{name}")
        path.unlink()
        os.link(part, path)
    return copy


@pytest.mark.parametrize("damage", [flip, truncate])
def test_all_parts_damaged_at_once_heal(kgmill, source, linked, first, damage):
    """The largest file of every stage's parts, and so the tables and the graph that are links to them."""
    for stage in STAGES:
        files = linked.glob(f"parts/{stage}/*/[!m]*")
        damage(max(files, key=lambda path: (path.stat().st_size, path.name)))
    done = kgmill("build", source, "--out", linked)
    assert (done.code, len(done.errors)) == (0, len(STAGES))
    assert all(line.endswith("; its part was removed, to be made again") for line in done.errors)
    assert visible(linked) == visible(first.folder)


@pytest.mark.parametrize("stage", STAGES)
def test_damaged_manifest_heals(kgmill, source, copy, first, stage):
    """A manifest that was cut costs its part, and one line."""
    truncate(one(copy, f"parts/{stage}/*/manifest.json"))
    done = kgmill("build", source, "--out", copy)
    assert (done.code, len(done.errors)) == (0, 1)
    assert visible(copy) == visible(first.folder)


@pytest.mark.parametrize("damage", [flip, *(pytest.param(d, marks=pytest.mark.slow) for d in (truncate, Path.unlink))])
@pytest.mark.parametrize(
    "pattern", ["tables/documents/*", "tables/facts/*", "graph/graph.nq.gz", "graph/ontology.ttl", "graph/void.ttl"]
)
def test_damaged_copy_heals(kgmill, source, copy, first, pattern, damage):
    """Where tables and graph are copies of the parts' files they are laid anew."""
    damage(one(copy, pattern))
    done = kgmill("build", source, "--out", copy)
    assert (done.code, done.errors) == (0, [])
    assert visible(copy) == visible(first.folder)


@pytest.mark.parametrize("content", ["", "[", "[[1]]", "null"])
def test_damaged_lists_heal(kgmill, source, copy, first, content):
    """Every live.json and run.json may be lost: no document meets the model again."""
    lists = list(copy.glob("parts/*/live.json"))
    for path in [*lists, copy / "run.json"]:
        path.write_text(content)
    done = kgmill("build", source, "--out", copy)
    assert (done.code, len(done.errors)) == (0, len(lists))
    assert visible(copy) == visible(first.folder)
    assert done.out.splitlines()[0] == "16 documents read = 16 kept + 0 rejected; 16 reused"


# Disks


@pytest.mark.parametrize("n_kb", [40, 80, 120])
def test_full_disk_is_one_line_and_heals(kgmill, source, first, disk, n_kb):
    """A disk that is full in the middle of a build: exit code 1 and one line; with more room it goes on."""
    folder = disk(f"size={n_kb}k") / "out"
    done = kgmill("build", source, "--out", folder)
    hint = "No space left on device; free some space and build again: it goes on from the last committed work unit"
    [line] = done.errors
    assert (done.code, line.startswith(f"kgmill: {folder}"), line.endswith(hint)) == (1, True, True)
    assert list((folder / ".tmp").iterdir()) == []
    disk("remount,size=4m")
    assert kgmill("build", source, "--out", folder).code == 0
    assert visible(folder) == visible(first.folder)


@pytest.mark.slow
def test_read_only_disk_touches_nothing(kgmill, source, disk):
    """A disk that can't be written is a wrong output, whether a build was there before or not."""
    folder = disk("size=4m")
    assert kgmill("build", source, "--out", folder / "out").code == 0
    disk("remount,ro")
    for name in ("out", "new"):
        done = kgmill("build", source, "--out", folder / name)
        line = f"kgmill: {folder / name}: Read-only file system; --out wants a folder that can be written"
        assert (done.code, done.errors) == (2, [line])
