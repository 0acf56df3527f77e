"""Every kind of storage: what the part store asks of it, with crashes between any two steps and two writers at once."""

import subprocess
import sys
import uuid
from pathlib import Path

import pyarrow as pa
import pytest

from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.output.upkeep import collect, verify
from kgmill.pipelines.storage import open_storage, storage_kinds
from kgmill.pipelines.storage.base import Storage
from kgmill.pipelines.storage.kinds.objects import Objects
from kgmill.schemas.errors import KgmillError, LockError, OutputError, StorageError

KEY, OTHER = "0123456789abcdef" * 4, "fedcba9876543210" * 4


@pytest.fixture(params=["disk", "memory", "s3"])
def place(request, tmp_path):
    """An output's name, in a place where nothing is."""
    if request.param == "disk":
        return str(tmp_path / "out")
    if request.param == "memory":
        return f"memory://{uuid.uuid4().hex}/out"
    return f"{request.getfixturevalue('s3')}/{uuid.uuid4().hex}/out"


@pytest.fixture
def storage(place):
    """The storage, ready to be written to."""
    storage = open_storage(place)
    storage.prepare()
    return storage


def numbers(*values):
    return {"numbers": pa.table({"n": list(values)})}


def names(storage, below=""):
    return [entry.name for entry in storage.entries(below)]


def shown(store):
    """The rows that a reader of DIR/tables sees."""
    return sorted(store.storage.dataset("tables/numbers").to_table()["n"].to_pylist())


def test_opening_touches_nothing(place):
    """A storage that is asked has nothing, and nobody held it."""
    storage = open_storage(place)
    storage.check()
    assert (storage.name, storage.children(""), storage.has("a"), storage.was_held()) == ("out", [], False, False)
    with pytest.raises(FileNotFoundError):
        storage.read("a")


def test_files_are_what_was_written(storage):
    """Written, replaced, copied over another, listed and removed."""
    storage.write("a/b/c.txt", b"one")
    storage.write("a/b/c.txt", b"two!")
    storage.write("a/d.txt", b"x")
    storage.copy("a/b/c.txt", "e/f.txt")
    storage.copy("a/b/c.txt", "a/d.txt")
    assert {name: storage.read(name) for name in names(storage, "a")} == {"a/b/c.txt": b"two!", "a/d.txt": b"two!"}
    assert storage.read_range("e/f.txt", 1, 2) == b"wo"
    assert [(entry.name, entry.n_bytes) for entry in storage.entries("e")] == [("e/f.txt", 4)]
    assert (storage.children("a"), storage.has("a/d.txt"), storage.has("a/b")) == (["b", "d.txt"], True, False)
    storage.remove("a/b")
    storage.remove("a/nothing")
    storage.remove("e/f.txt")
    assert (names(storage, "a"), storage.children("e")) == (["a/d.txt"], [])


def test_names_that_begin_alike_are_apart(storage):
    """What is below a name is not below one that it begins."""
    storage.write("ab/x", b"1")
    storage.write("a/x", b"2")
    storage.remove("a")
    assert (names(storage, "a"), names(storage, "ab")) == ([], ["ab/x"])


def test_put_moves_a_folder(storage, tmp_path):
    """Its files are there, under the names that `data_name` gives, and the local folder is gone."""
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "data").write_bytes(b"data")
    (tmp_path / "part" / "last").write_bytes(b"last")
    assert storage.put(tmp_path / "part", "parts/s/u", {"data": "ab" * 32}, "last")
    assert storage.read(storage.data_name("parts/s/u", "data", "ab" * 32)) == b"data"
    assert (storage.read("parts/s/u/last"), (tmp_path / "part").exists()) == (b"last", False)


def test_one_holds_it(storage, place):
    """A second holder is refused with the first one's name; after the first, it may."""
    with storage.hold():
        assert storage.was_held()
        with pytest.raises(LockError, match=r"another build \(pid \d+ on .* since .*\) is running here; wait for it"):
            open_storage(place).hold().__enter__()
    with open_storage(place).hold():
        pass


def test_what_is_committed_is_found_elsewhere(place):
    """Another process finds a part, its rows and what is live."""
    store = Store(place)
    with store.lock():
        part = store.commit("s", "00-0000", KEY, numbers(1, 2), {"kept": 2})
        store.publish("s", [part], ["numbers"], "key")
    other = Store(place)
    assert [(p.name, p.counts, p.read("numbers")["n"].to_pylist()) for p in other.live("s")] == [
        (part.name, {"kept": 2}, [1, 2])
    ]
    assert (shown(other), other.live_key("s"), verify(other)) == ([1, 2], "key", [])


class CrashError(Exception):
    """The process dies here."""


class Dying:
    """Lets a storage do so many steps that change it, and then no more."""

    def __init__(self, monkeypatch, storage, n_steps):
        self.left = n_steps
        for name in ("write", "put", "copy", "remove", "_create", "_write", "_remove"):
            if hasattr(type(storage), name):
                monkeypatch.setattr(type(storage), name, self.step(getattr(type(storage), name)))

    def step(self, method):
        def do(*arguments, **options):
            if self.left <= 0:
                raise CrashError
            self.left -= 1
            return method(*arguments, **options)

        return do


def history(store):
    """Two results of a stage, the second with one part of the first; then the shown rows are 2 and 3."""
    for values in ((1, 2), (2, 3)):
        parts = [store.commit("s", f"0{n}-0000", str(n) * 64, numbers(n), {}) for n in values]
        store.publish("s", parts, ["numbers"], f"{values}")


STEPS = range(21)  # a history takes 11 on a disk, 20 on objects


@pytest.mark.parametrize(
    ("place", "n_steps"),
    [
        *(("disk", n) for n in STEPS[:12]),
        *(("memory", n) for n in STEPS),
        *(pytest.param("s3", n, marks=() if n % 7 == 6 else pytest.mark.slow) for n in STEPS),
    ],
    indirect=["place"],
)
def test_crash_between_any_two_steps_heals(place, monkeypatch, n_steps):
    """Whatever was done, what is listed is there whole, and the next run ends in the bytes of one that nobody cut."""
    store = Store(place)
    with monkeypatch.context() as patch:
        Dying(patch, store.storage, n_steps)
        try:
            with store.lock():
                history(store)
        except (CrashError, KgmillError):
            pass
    again = Store(place)
    if isinstance(again.storage, Objects):
        _expire(again.storage)
    assert all(part.read("numbers").num_rows == 1 for part in again.live("s"))
    with again.lock():
        assert all("removed, to be made again" in line for line in verify(again))
        history(again)
    assert (shown(again), again.live_key("s"), len(again.live("s"))) == ([2, 3], "(2, 3)", 2)
    collect(again)
    clean = Store(f"{place}-clean")
    with clean.lock():
        history(clean)
    assert _content(again) == _content(clean)


def _expire(storage):
    """Makes the lease of who died an old one, as time does."""
    newest = storage._newest()
    if newest:
        storage._write(newest.name, b"{}")


def _content(store):
    return {
        entry.name: store.storage.read(entry.name)
        for below in ("parts", "tables")
        for entry in store.storage.entries(below)
    }


def test_two_writers_of_one_part_make_one(place):
    """Workers may do a task twice at once: the first manifest stays, and what it names is whole."""
    first, second = Store(place), Store(place)
    first.create()
    one = first.commit("s", "00-0000", KEY, numbers(1), {"by": "first"})
    two = second.commit("s", "00-0000", KEY, numbers(2), {"by": "second"})
    assert (one.counts, two.counts) == ({"by": "first"}, {"by": "first"})
    assert two.read("numbers")["n"].to_pylist() == [1]


def test_put_of_a_part_that_is_there_says_so(storage, tmp_path):
    """Where files come one by one, who comes second is told, and changes nothing."""
    if storage.is_near:
        pytest.skip("a rename replaces; the part store asks before, and one process commits a part")
    for number, expected in ((1, True), (2, False)):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "data").write_bytes(b"%d" % number)
        (folder / "last").write_bytes(b"%d" % number)
        assert storage.put(folder, "parts/s/u", {"data": str(number) * 64}, "last") is expected
    assert (storage.read("parts/s/u/last"), storage.read(storage.data_name("parts/s/u", "data", "1" * 64))) == (
        b"1",
        b"1",
    )


def test_damage_is_found(place):
    """A file that was cut goes with its part, and is made again."""
    store = Store(place)
    with store.lock():
        part = store.commit("s", "00-0000", KEY, numbers(1), {})
        store.publish("s", [part], [])
        store.storage.write(part.file("numbers.parquet"), b"cut")
        [line] = verify(store)
        assert line.startswith(store.storage.place(part.file("numbers.parquet")))
        assert store.find("s", "00-0000", KEY) is None


def test_leftovers_go(place):
    """What dead processes left beside the parts is no part, is counted, and goes."""
    store = Store(place)
    with store.lock():
        kept = store.commit("s", "00-0000", KEY, numbers(1), {})
        store.publish("s", [kept], ["numbers"])
        store.commit("s", "00-0001", OTHER, numbers(2), {})
        if not store.storage.is_near:
            store.storage.write(f"{kept.place}/{'0' * 16}.numbers.parquet", b"stray")
    freed = collect(store)
    assert freed["parts that are not live"][0] == 1
    assert freed["work in progress"] == ((0, 0) if store.storage.is_near else (1, 5))
    assert sum(n for n, _ in collect(store).values()) == 0
    assert (len(store.committed("s")), shown(store)) == (1, [1])


def test_what_is_shown_is_made_anew_where_it_differs(place):
    """A file of DIR/tables that isn't its part's any more, or belongs to none, is put right by the next result."""
    store = Store(place)
    with store.lock():
        parts = [store.commit("s", f"01-000{i}", KEY, numbers(i), {}) for i in range(2)]
        store.publish("s", parts, ["numbers"])
        other = store.commit("t", "00-0000", KEY, numbers(7), {})
        name = f"tables/numbers/{parts[0].name}.parquet"
        store.storage.copy(other.file("numbers.parquet"), name)
        store.storage.copy(other.file("numbers.parquet"), "tables/numbers/more.parquet")
        assert shown(store) == [1, 7, 7]
        store.publish("s", parts, ["numbers"])
        assert (shown(store), store.storage.read(name)) == ([0, 1], parts[0].read_bytes("numbers.parquet"))


def test_holder_sees_what_the_one_before_published(place):
    """What a store knew of the live parts doesn't outlive its lock."""
    one, other = Store(place), Store(place)
    for n, store in enumerate((one, other, one)):
        with store.lock():
            assert [part.counts["n"] for part in store.live("s")] == ([n - 1] if n else [])
            store.publish("s", [store.commit("s", "00-0000", f"{n}" * 64, numbers(n), {"n": n})], ["numbers"], f"{n}")
            assert (store.live_key("s"), len(store.live("s"))) == (f"{n}", 1)
    assert (other.live_key("s"), shown(other)) == ("2", [2])


def test_nothing_changed_costs_as_many_requests_whatever_the_units(s3, monkeypatch):
    """Holding, looking at and publishing again what is live asks an object store for listings, not for each part."""
    s3fs = pytest.importorskip("s3fs")
    asked = []
    call = s3fs.S3FileSystem._call_s3

    def counted(fs, name, *values, **named):
        asked.append(name)
        return call(fs, name, *values, **named)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", counted)
    counts = []
    for n in (2, 20):
        place = f"{s3}/{uuid.uuid4().hex}/out"
        for is_again in (False, True):
            store = Store(place)
            with store.lock():
                del asked[:]
                assert verify(store) == []
                parts = store.live("s")
                if not is_again:
                    parts = [store.commit("s", f"05-{i:04x}", KEY, numbers(i), {}) for i in range(n)]
                store.publish("s", parts, ["numbers"], "key")
                assert (len(store.live("s")), store.is_whole("s"), store.live_key("s")) == (n, True, "key")
                if is_again:
                    counts.append(sorted(asked))
    assert counts[0] == counts[1] == ["get_object", *["list_objects_v2"] * 3]


# Leases


@pytest.fixture
def leased():
    """Two storages of one place in memory, with leases of a third of a second."""
    url = f"memory://{uuid.uuid4().hex}/out"
    return Objects(url, lease_s=0.3), Objects(url, lease_s=0.3)


def test_lease_is_renewed(leased):
    """Who works longer than a lease keeps the place."""
    first, second = leased
    with first.hold():
        _wait(1.0)
        first.write("a", b"1")
        with pytest.raises(LockError):
            second.hold().__enter__()


def test_old_lease_is_taken_over(leased, monkeypatch):
    """Who can't renew loses the place when the time is over, and writes no more."""
    first, second = leased
    with first.hold():
        monkeypatch.setattr(Objects, "_renew", lambda self, stop: None)
        first._lease = type(first._lease)(first._lease.number, 1.0, "me", first._lease.owner)
        first._write(first._lease.name, first._lease.to_json())
        with second.hold():
            with pytest.raises(LockError, match="could not renew its lease, and writes no more; build again"):
                first.write("a", b"1")
            second.write("a", b"2")
    assert second.read("a") == b"2"


def test_one_of_many_takes_an_old_lease(leased):
    """Two that find a lease old: one creates the next, the other is refused."""
    first, second = leased
    first.prepare()
    before = first._newest()
    assert before is None
    lease = first._take()
    assert not second._create(lease.name, lease.to_json().replace(b"e", b"f"))
    with pytest.raises(LockError):
        second._take()


def _wait(seconds):
    subprocess.run([sys.executable, "-c", f"import time; time.sleep({seconds})"], check=True)


# Names


def test_unknown_file_system_is_refused():
    """A protocol that nobody knows, and one whose package is missing, in one line."""
    with pytest.raises(OutputError, match=r"^nosuch://x/y: "):
        open_storage("nosuch://x/y")


def test_server_that_is_down_is_one_line(s3, monkeypatch):
    """What can't be asked is no empty place."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    storage = Objects("s3://bucket/down")
    storage._fs = type(storage._fs)(skip_instance_cache=True, config_kwargs={"retries": {"max_attempts": 1}})
    with pytest.raises(StorageError, match=r"^s3://bucket/down/a: "):
        storage.read("a")


@pytest.mark.parametrize("name", ["", " "])
def test_empty_name_is_refused(name):
    """It is not the current folder."""
    with pytest.raises(OutputError, match="the name of the output is empty"):
        open_storage(name)


def test_file_urls_are_folders(tmp_path):
    """`file://` is a folder of this machine; another machine's is refused."""
    assert open_storage(f"file://{tmp_path}/a%20b").where == str(Path(tmp_path, "a b"))
    with pytest.raises(OutputError, match="wanted file:/// and an absolute path"):
        open_storage("file://host/x")


def test_kinds_are_found():
    """Each file of kinds/ is one, and one of them takes what no other does."""
    kinds = storage_kinds()
    assert sorted(kinds) == ["disk", "objects"]
    assert sum(not kind.protocols for kind in kinds.values()) == 1
    assert all(isinstance(kind.open(f"memory://{name}"), Storage) for name, kind in kinds.items() if name == "objects")
