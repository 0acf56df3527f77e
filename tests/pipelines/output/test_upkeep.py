"""Upkeep of an output folder: damaged parts and leftovers."""

import json
import os

import pyarrow as pa
import pytest

from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.output.upkeep import collect, verify
from kgmill.schemas.errors import LockError, OutputError

KEY = "0123456789abcdef" * 4
OTHER_KEY = "fedcba9876543210" * 4


def commit(store, unit="01-0000", key=KEY, stage="s", numbers=(1, 2)):
    return store.commit(stage, unit, key, {"numbers": pa.table({"n": list(numbers)})}, {"kept": len(numbers)})


@pytest.fixture
def parts(store):
    """Two live parts of a stage."""
    parts = [commit(store), commit(store, "01-0001")]
    store.publish("s", parts, ["numbers"])
    return parts


def units(store):
    return [part.unit for part in store.live("s")]


# Damage


def test_whole_parts_stay(store, parts):
    """Nothing is said of what is as it was committed."""
    assert (verify(store), units(store)) == ([], ["01-0000", "01-0001"])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path):
    os.truncate(path, path.stat().st_size - 1)


@pytest.mark.parametrize(
    ("damage", "name", "said"),
    [
        (flip, "numbers.parquet", "numbers.parquet: not the bytes that were committed; its part was removed"),
        (truncate, "numbers.parquet", " that were committed; its part was removed, to be made again"),
        (lambda path: path.unlink(), "numbers.parquet", "numbers.parquet: No such file or directory; its part"),
        (truncate, "manifest.json", ": has no manifest that is whole; removed, to be made again"),
        (flip, "manifest.json", ": has no manifest that is whole; removed, to be made again"),
        (lambda path: path.unlink(), "manifest.json", ": has no manifest that is whole; removed, to be made again"),
    ],
)
def test_damaged_part_is_named_and_removed(store, parts, damage, name, said):
    """A part that was altered, cut short or lost a file goes, with a line; the others stay."""
    folder = store.storage.root / parts[0].place
    if (damage, name) == (truncate, "manifest.json"):
        os.truncate(folder / name, 40)  # without its last byte, a line feed, it is still whole
    else:
        damage(folder / name)
    [line] = verify(store)
    assert line.startswith(str(folder))
    assert said in line
    assert (units(store), folder.exists(), len(store.listed("s"))) == (
        ["01-0001"],
        False,
        2,
    )


def test_altered_count_is_damage(store, parts):
    """A manifest that is good JSON with another number in it is not believed."""
    folder = store.storage.root / parts[0].place
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"kept": 2', '"kept": 3'))
    assert len(verify(store)) == 1


def test_part_in_another_parts_place_is_damage(store, parts):
    """A folder that was copied or renamed by hand is not what its name says."""
    folder = store.storage.root / parts[0].place
    moved = folder.with_name("01-0000.aaaaaaaaaaaaaaaa")
    folder.rename(moved)
    assert verify(store) == [f"{moved}: holds the part {parts[0].name}; its part was removed, to be made again"]


@pytest.mark.parametrize("content", ["", "[[", "{}}", "[1, 2]", "null"])
def test_damaged_list_is_written_anew(store, parts, content):
    """When live.json can't be read, the parts beside it were the live ones, if there is one a unit."""
    path = store.storage.root / "parts" / "s" / "live.json"
    path.write_text(content)
    assert verify(store) == [f"{path}: damaged; written anew from the 2 parts beside it"]
    assert units(store) == ["01-0000", "01-0001"]


@pytest.mark.parametrize(("unit", "key"), [("01-0001", OTHER_KEY), ("00-0000", KEY)])
def test_damaged_list_of_doubtful_parts_goes(store, parts, unit, key):
    """Two parts of a unit, or of two cuttings, can't both be live: then no list is better than a wrong one."""
    commit(store, unit, key)
    path = store.storage.root / "parts" / "s" / "live.json"
    path.write_text("")
    assert verify(store) == [f"{path}: damaged; removed, as it can't be told which parts were live"]
    assert (store.live("s"), len(store.committed("s"))) == ([], 3)


# Leftovers


@pytest.fixture
def leftovers(store, parts):
    """One leftover of each kind, an unknown file, and three runs, two of them begun in the same second."""
    with store.lock():
        (store.scratch() / "half").write_text("1234")
    commit(store, "01-0001", OTHER_KEY)
    (store.storage.root / "tables" / "numbers" / "01-0001.fedcba9876543210.parquet").write_text("12")
    (store.storage.root / "tables" / "numbers" / "own.parquet").write_text("mine")
    for folder, ending in (("runs", ".json"), ("changes", ".added.nq.gz")):
        (store.storage.root / folder).mkdir()
        for name in ("2026-01-01T000000Z", "2026-01-01T000000Z-2", "2025-01-01T000000Z", "mine"):
            (store.storage.root / folder / f"{name}{ending}").write_text("123")
    return store


def numbers(freed):
    return {kind: number for kind, (number, _) in freed.items() if number}


def test_leftovers_go(leftovers):
    """Work in progress, and parts and tables that are not live, go; runs and unknown files stay."""
    freed = collect(leftovers)
    assert numbers(freed) == {"work in progress": 1, "parts that are not live": 1, "tables that are not live": 1}
    assert (freed["work in progress"], freed["tables that are not live"]) == ((1, 4), (1, 2))
    assert numbers(collect(leftovers)) == {}
    assert units(leftovers) == ["01-0000", "01-0001"]
    assert sorted(path.name for path in (leftovers.storage.root / "tables" / "numbers").iterdir()) == [
        "01-0000.0123456789abcdef.parquet",
        "01-0001.0123456789abcdef.parquet",
        "own.parquet",
    ]


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        (0, {"mine"}),
        (1, {"mine", "2026-01-01T000000Z-2"}),
        (2, {"mine", "2026-01-01T000000Z-2", "2026-01-01T000000Z"}),
    ],
)
def test_newest_runs_are_kept(leftovers, keep, kept):
    """Of runs and their changes the newest N stay, in the order of their names; unknown names stay too."""
    collect(leftovers, keep)
    assert {path.name.removesuffix(".json") for path in (leftovers.storage.root / "runs").iterdir()} == kept
    assert {path.name.partition(".")[0] for path in (leftovers.storage.root / "changes").iterdir()} == kept


def test_stores_of_other_graphs_go(store, parts):
    """Embedded stores of graphs before the live one go; where it isn't known which that is, none does."""
    root = store.storage.root
    with store.lock():
        pass
    for name in ("a" * 16, "b" * 16, "mine"):
        (root / "store" / name).mkdir(parents=True)
        (root / "store" / name / "CURRENT").write_text("123")
    assert numbers(collect(store)) == {}
    (root / "run.json").write_text(json.dumps({"graph": {"sha256": "b" * 64}}))
    assert collect(store)["stores of other graphs"] == (1, 3)
    assert sorted(path.name for path in (root / "store").iterdir()) == ["b" * 16, "mine"]


def test_dry_run_removes_nothing(leftovers):
    """A dry run says the same and does nothing."""
    before = sorted(leftovers.storage.root.rglob("*"))
    freed = collect(leftovers, 1, dry_run=True)
    assert sorted(leftovers.storage.root.rglob("*")) == before
    assert collect(leftovers, 1) == freed


def test_foreign_folder_is_refused(tmp_path):
    """A folder in which no build ever ran is left as it is."""
    with pytest.raises(OutputError, match="no output folder of kgmill"):
        collect(Store(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_folder_of_a_running_build_is_refused(leftovers):
    """What a running build is at is no leftover."""
    with leftovers.lock(clear=False), pytest.raises(LockError):
        collect(Store(leftovers.storage.root))
    assert json.loads((leftovers.storage.root / "parts" / "s" / "live.json").read_text())
