"""The part store: what is committed, what is live, and who holds the folder."""

import os
import re
import signal
import socket
import subprocess
import sys
import uuid

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from kgmill.pipelines.output.layout import MANIFEST, part_name
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.storage.files import remove
from kgmill.schemas.errors import CorruptPartError, LockError, OutputError

KEY = "0123456789abcdef" * 4
OTHER_KEY = "fedcba9876543210" * 4
HOLDER = """
import sys
import uuid
from pathlib import Path
from kgmill.pipelines.output.parts import Store
with Store(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def numbers(*values):
    return {"numbers": pa.table({"n": list(values)})}


def rows_by_glob(store, table="numbers"):
    """What DuckDB, Spark and pyarrow would read."""
    return sorted(ds.dataset(store.storage.root / "tables" / table, format="parquet").to_table()["n"].to_pylist())


@pytest.fixture
def holder(store):
    """A process that holds the store's folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, store.where],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


# Commits


def test_committed_part_is_found(store):
    """A part is found by stage, unit and fingerprint, with its rows and counts."""
    store.commit("ingest", "00-0000", KEY, numbers(1, 2, 3), {"kept": 3})
    part = store.find("ingest", "00-0000", KEY)
    assert (part.read("numbers")["n"].to_pylist(), part.rows("numbers"), part.counts) == ([1, 2, 3], 3, {"kept": 3})


def test_part_is_not_found_by_another_fingerprint(store):
    """Fingerprints that only begin alike name different parts, though their folder's name would be the same."""
    store.commit("ingest", "00-0000", KEY, numbers(1), {})
    assert store.find("ingest", "00-0000", KEY[:16] + OTHER_KEY[16:]) is None


def test_part_of_a_scratch_folder_keeps_its_files(store):
    """A folder whose files are already written is committed as it is."""
    folder = store.scratch()
    (folder / "graph.txt").write_bytes(b"a b c .\n")
    assert store.commit("graph", "all", KEY, folder, {}).read_bytes("graph.txt") == b"a b c .\n"


def test_interrupted_commit_leaves_nothing_visible(store):
    """A commit that fails after its first table is written leaves no part."""
    content = {**numbers(1), "broken": "not a table"}
    with pytest.raises(AttributeError):
        store.commit("ingest", "00-0000", KEY, content, {})
    assert (store.find("ingest", "00-0000", KEY), (store.storage.root / "parts").exists()) == (None, False)


def test_part_without_manifest_is_replaced(store):
    """What a crash of the file system left in a part's place gives way to the part."""
    leftover = store.storage.root / "parts" / "ingest" / part_name("00-0000", KEY)
    leftover.mkdir(parents=True)
    (leftover / "numbers.parquet").write_bytes(b"half")
    store.commit("ingest", "00-0000", KEY, numbers(1), {})
    assert store.find("ingest", "00-0000", KEY).read("numbers")["n"].to_pylist() == [1]


def test_second_commit_of_a_fingerprint_keeps_the_first(store):
    """Work that ran twice leaves the part that came first."""
    store.commit("ingest", "00-0000", KEY, numbers(1), {"from": "first"})
    part = store.commit("ingest", "00-0000", KEY, numbers(2), {"from": "second"})
    assert (
        part.read("numbers")["n"].to_pylist(),
        store.find("ingest", "00-0000", KEY).counts,
        list(store.tmp.iterdir()),
    ) == ([1], {"from": "first"}, [])


def test_damaged_byte_is_a_corrupt_part(store):
    """A part whose bytes were altered is refused, with the file's name and the way out."""
    part = store.commit("ingest", "00-0000", KEY, numbers(1, 2, 3), {})
    path = store.storage.root / part.file("numbers.parquet")
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptPartError) as caught:
        part.read("numbers")
    assert f"{path}: not the bytes that were committed; build again, and it is made again" == str(caught.value)


def test_missing_file_is_a_corrupt_part(store):
    """A part that lost a file is refused, with the file's name."""
    part = store.commit("ingest", "00-0000", KEY, numbers(1), {})
    (store.storage.root / part.file("numbers.parquet")).unlink()
    with pytest.raises(CorruptPartError, match=r"numbers\.parquet: No such file or directory; build again, "):
        part.read("numbers")


# What is live


def test_published_rows_are_the_globs_rows(store):
    """The files under DIR/tables/TABLE are the live rows, all of them and no others."""
    parts = [store.commit("s", "01-0000", KEY, numbers(1, 2), {}), store.commit("s", "01-0001", KEY, numbers(3), {})]
    store.publish("s", parts, ["numbers"])
    assert rows_by_glob(store) == [1, 2, 3]


def test_publish_removes_stale_parts(store):
    """A part that is live no more leaves the tables and the parts."""
    old = store.commit("s", "00-0000", KEY, numbers(1, 2), {})
    store.publish("s", [old], ["numbers"])
    new = store.commit("s", "00-0000", OTHER_KEY, numbers(2, 3), {})
    store.publish("s", [new], ["numbers"])
    assert (
        rows_by_glob(store),
        sorted(path.name for path in (store.storage.root / "parts" / "s").iterdir()),
    ) == ([2, 3], ["00-0000.fedcba9876543210", "live.json"])


def test_live_parts_are_the_last_published(store):
    """A part that was committed and not published is not live; live parts come in unit order."""
    parts = [store.commit("s", unit, KEY, numbers(1), {}) for unit in ("01-0001", "01-0000", "02-0000")]
    store.publish("s", parts[:2], [])
    store.commit("s", "02-0000", OTHER_KEY, numbers(1), {})
    assert [part.unit for part in store.live("s")] == ["01-0000", "01-0001"]


def test_nothing_is_live_at_first(store):
    """A stage that never finished has no live parts."""
    assert store.live("ingest") == []


def test_published_files_replace_the_folder(store):
    """DIR/graph holds the published part's files and nothing else."""
    (store.storage.root / "graph").mkdir()
    (store.storage.root / "graph" / "old.nq").write_text("old")
    folder = store.scratch()
    (folder / "new.nq").write_text("new")
    store.publish_files("graph", [store.commit("graph", "all", KEY, folder, {})])
    assert {path.name: path.read_text() for path in (store.storage.root / "graph").iterdir()} == {"new.nq": "new"}


def test_tables_are_hard_links(store):
    """A table's file costs no second copy of its part."""
    part = store.commit("s", "00-0000", KEY, numbers(1), {})
    store.publish("s", [part], ["numbers"])
    shown = store.storage.root / "tables" / "numbers" / f"{part.name}.parquet"
    assert shown.samefile(store.storage.root / part.file("numbers.parquet"))


def test_tables_are_copies_where_links_cannot_be(store, monkeypatch):
    """On a file system without hard links the tables hold the same rows."""

    def refuse(source, target):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    part = store.commit("s", "00-0000", KEY, numbers(1, 2), {})
    store.publish("s", [part], ["numbers"])
    table = store.storage.root / "tables" / "numbers" / f"{part.name}.parquet"
    assert (rows_by_glob(store), table.samefile(store.storage.root / part.file("numbers.parquet"))) == (
        [1, 2],
        False,
    )


# The folder and its lock


def test_second_holder_is_told_the_first_ones_pid(store, holder):
    """A folder that another process holds is refused with that process's pid, its host and when it started."""
    with pytest.raises(LockError) as caught, store.lock():
        pytest.fail("the lock was given twice")
    who = rf"pid {holder.pid} on {re.escape(socket.gethostname())} since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    line = rf"{re.escape(str(store.storage.root))}: another build \({who}\) is running here; wait for it"
    assert re.fullmatch(line, str(caught.value))


def test_lock_ends_with_its_holder(store, holder):
    """A holder that is killed holds nothing."""
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with store.lock():
        assert (store.storage.root / ".lock").read_text().startswith(f"{os.getpid()} on ")


def test_lock_removes_leftovers(store):
    """Folders and files of dead runs in DIR/.tmp are gone once the folder is held."""
    (store.scratch() / "spill").mkdir()
    (store.tmp / "file").write_text("half")
    with store.lock():
        assert list(store.tmp.iterdir()) == []


def test_refused_lock_removes_nothing(store, holder):
    """A second holder leaves the first one's work in progress alone."""
    folder = store.scratch()
    with pytest.raises(LockError), store.lock():
        pytest.fail("the lock was given twice")
    assert folder.is_dir()


def test_output_that_is_a_file_is_refused(tmp_path):
    """An output folder that is a file can't be used."""
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError) as caught:
        Store(tmp_path / "out").create()
    assert f"{tmp_path}/out: is a file; --out wants a folder" == str(caught.value)


def test_making_a_store_touches_nothing(tmp_path):
    """Only `create` and `lock` make the folder."""
    Store(tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Keys and releases


def test_key_of_the_live_parts(store):
    """A result has the key that it was published with; it is whole as long as all its parts are there."""
    assert (store.live_key("s"), store.is_whole("s")) == ("", True)
    parts = [store.commit("s", f"01-000{n}", KEY, numbers(n), {}) for n in range(2)]
    store.publish("s", parts, [], "made from this")
    assert (store.live_key("s"), store.is_whole("s")) == ("made from this", True)
    remove(parts[0].storage.root / parts[0].place)
    assert (len(store.live("s")), store.is_whole("s")) == (1, False)


def test_released_files_join_those_that_are_there(store):
    """A part's files get the prefix, nothing else in the folder goes, and the part does."""
    for run in ("r1", "r2"):
        folder = store.scratch()
        (folder / "added.gz").write_text(run)
        part = store.commit("changes", "all", KEY, folder, {})
        store.release(part, "changes", run)
        assert not (part.storage.root / part.place).exists()
    assert {p.name: p.read_text() for p in (store.storage.root / "changes").iterdir()} == {
        "r1.added.gz": "r1",
        "r2.added.gz": "r2",
    }


def test_needed_part_that_is_gone_is_named(store):
    """Asking for a part that must be there names it when it isn't."""
    with pytest.raises(CorruptPartError, match=r"s part 00-0000\.0123456789abcdef is gone; build again$"):
        store.need("s", "00-0000", KEY)


@pytest.fixture
def far(monkeypatch):
    """Makes stores of one far place, with the names that are read there, in `far.read`."""
    url = f"memory://{uuid.uuid4().hex}/out"
    read = []

    def make():
        store = Store(url)
        asked = store.storage.read
        monkeypatch.setattr(store.storage, "read", lambda name: read.append(name) or asked(name))
        return store

    make.read = read
    return make


def committed(store, n):
    """A far stage of `n` parts, published."""
    parts = [store.commit("stage", f"{i:02x}", KEY, numbers(i), {"n": i}) for i in range(n)]
    store.publish("stage", parts, [])
    return parts


@pytest.mark.parametrize("n", [2, 20])
def test_far_parts_are_known_by_one_read(far, n):
    """What is live is known without a request a part: a build with nothing changed asks for as much, however many."""
    committed(far(), n)
    store = far()
    far.read.clear()

    live = store.live("stage")
    found = [store.find("stage", part.unit, KEY) for part in live]

    assert [part.counts["n"] for part in live] == list(range(n))
    assert found == live
    assert far.read == ["parts/stage/live.json"] * 2
    assert live[-1].read("numbers")["n"].to_pylist() == [n - 1]


def test_far_part_that_is_gone(far):
    """What live.json says of a part that has no manifest any more is not believed."""
    parts = committed(far(), 3)
    far().storage.remove(f"{parts[1].place}/{MANIFEST}")
    store = far()

    assert [part.unit for part in store.live("stage")] == ["00", "02"]
    assert not store.is_whole("stage")
    with pytest.raises(CorruptPartError, match="is gone"):
        store.need("stage", "01", KEY)


@pytest.mark.parametrize("fault", [b"{", b'{"key": "", "parts": [["00", "' + KEY.encode() + b'"]], "manifests": [{}]}'])
def test_far_list_that_is_damaged(far, fault):
    """Where live.json has no whole manifests, those of the parts are asked for."""
    committed(far(), 1)
    far().storage.write("parts/stage/live.json", fault)

    assert far().find("stage", "00", KEY).counts == {"n": 0}


def test_near_list_has_no_manifests(store):
    """On a disk each part's own manifest is read, so that a damaged one is seen."""
    committed(store, 1)

    assert b"manifests" not in store.storage.read("parts/stage/live.json")
