"""What tasks tell of a job, and what the parent makes of it."""

import pytest

from kgmill.pipelines.engine.progress import Extent, Meter, Teller
from kgmill.pipelines.engine.request import Receipt, write_receipt
from kgmill.pipelines.sources.find import SourceFile, read_records
from kgmill.pipelines.stages import ingest
from kgmill.schemas.config import SourceConfig


@pytest.fixture
def clock(monkeypatch):
    """The seconds of a clock that stands still."""
    now = [100.0]
    monkeypatch.setattr("kgmill.pipelines.engine.progress.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def shown():
    return []


@pytest.fixture
def meter(tmp_path, shown):
    """Makes meters of the jobs of this test's scratch folder."""

    def meter(extent):
        return Meter(tmp_path, extent, lambda *status: shown.append(status))

    return meter


def test_receipts_count_by_their_weight(tmp_path, clock, meter, shown):
    """A unit with a receipt is done; no more than one look a second."""
    looking = meter(Extent({"a": 3.0, "b": 1.0}, n_documents=8))
    looking.poll()
    write_receipt(str(tmp_path), Receipt("a", ""))
    write_receipt(str(tmp_path), Receipt("alien", ""))
    looking.poll()
    for _ in range(3):
        clock[0] += 1.0
        looking.poll()
    looking.finish()
    assert shown == [(0.0, 8), *[(0.75, 8)] * 3, (1.0, 8)]


def test_share_of_a_unit_counts(tmp_path, clock, meter, shown):
    """A unit moves the bar before it is done; a task tells that it begins, then once a second, and always its end."""
    looking, teller = meter(Extent({"a": 1.0, "b": 1.0}, n_documents=8)), Teller(tmp_path, "a")
    clock[0] += 2.0
    for share, seconds in ((0.1, 0.0), (0.2, 0.5), (0.4, 1.0), (0.5, 0.5), (1.0, 0.1)):
        clock[0] += seconds
        teller.tell(share)
        looking._looked = 0.0
        looking.poll()
    assert [share for share, _ in shown] == [0.05, 0.05, 0.2, 0.2, 0.5]


def test_worker_that_begins_again_moves_nothing_back(tmp_path, clock, meter, shown):
    """The bar waits for the unit that is done again."""
    looking = meter(Extent({"a": 1.0}, n_documents=8))
    for share in (0.6, 0.1, 0.7):
        teller = Teller(tmp_path, "a")
        clock[0] += 2.0
        teller.tell(share)
        looking.poll()
    assert shown == [(0.6, 8), (0.6, 8), (0.7, 8)]


def test_end_is_shown_once(tmp_path, clock, meter, shown):
    """A unit that told its end may still fail to be committed, so that the job's end is the parent's to show."""
    looking = meter(Extent({"a": 1.0}, n_documents=8))
    teller = Teller(tmp_path, "a")
    for share in (0.5, 1.0):
        clock[0] += 2.0
        teller.tell(share)
        looking.poll()
    looking.finish()
    assert shown == [(0.5, 8), (0.9999, 8), (1.0, 8)]


def test_documents_are_estimated_while_they_are_read(tmp_path, clock, meter, shown):
    """Half of a file had five documents, so there are about forty in four such files; at the end all are known."""
    looking = meter(Extent({"00-0000": 4.0}, {f"read-{i}": 1.0 for i in range(4)}))
    looking.poll()
    for i, (share, n) in enumerate([(0.5, 5), (1.0, 10), (1.0, 10), (1.0, 10), (1.0, 12)]):
        teller = Teller(tmp_path, f"read-{max(0, i - 1)}")
        clock[0] += 2.0
        teller.tell(share, n)
        looking.poll()
    looking.finish()
    assert shown[:3] == [(0.0, None), (0.0625, 40), (0.125, 40)]
    assert shown[-2:] == [(0.5, 42), (1.0, 42)]


def test_each_tells_on_the_way(tmp_path, clock, meter, shown):
    """Items in order, with the share of the part of the task that they are."""
    looking = meter(Extent({"a": 1.0}, n_documents=1))
    teller = Teller(tmp_path, "a")
    clock[0] += 2.0
    for _ in teller.each("xyz", 0.4, 1.0):
        clock[0] += 2.0
        looking.poll()
    assert [round(share, 3) for share, _ in shown] == [0.4, 0.6, 0.8]


def test_full_disk_is_none_of_progress_business(tmp_path):
    """A file of progress that can't be written stops no work."""
    (tmp_path / "progress").write_text("a file where a folder should be")
    Teller(tmp_path, "a").tell(1.0)


def test_reading_tells_bytes(tmp_path):
    """A large file is not one step: each of its bytes is told once."""
    path, counts = tmp_path / "a.jsonl", []
    path.write_text("".join(f'{{"id": "{i}", "text": "some text"}}\n' for i in range(40_000)))
    n_bytes = path.stat().st_size
    records = read_records(SourceFile(str(path), "a.jsonl", n_bytes), None, counts.append)
    n_before = [sum(counts) for _ in records]
    assert sum(counts) == n_bytes
    assert 0 < n_before[0] < n_before[20_000] < n_bytes


def test_extent_of_ingest(tmp_path):
    """Reading is half of the work, whatever the number of files; so are the units."""
    tasks = [ingest.Task("read-0", 99), ingest.Task("read-1", 299)]
    extent = ingest.extent(tasks, ingest.Settings(1, 0, 0.0, SourceConfig(), ()))
    assert extent == Extent({"01-0000": 200.0, "01-0001": 200.0}, {"read-0": 100.0, "read-1": 300.0})


def test_task_that_begins_moves_the_bar_a_little(tmp_path, clock, meter, shown):
    """A task says that it begins, and no more within the second in which the parent looks."""
    looking = meter(Extent({"a": 1.0, "b": 3.0}, n_documents=8))
    looking.poll()
    clock[0] += 20.0
    teller = Teller(tmp_path, "a")
    clock[0] += 1.0
    teller.tell(0.5)
    looking.poll()
    clock[0] += 1.0
    teller.tell(0.6)
    looking.poll()
    assert shown == [(0.0, 8), (0.000025, 8), (0.15, 8)]
