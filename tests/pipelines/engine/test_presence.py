"""How a build hears of its workers on other machines."""

import json
from types import SimpleNamespace

import pytest

from kgmill.pipelines.engine import presence
from kgmill.pipelines.engine.presence import Workers, meet, tell_fault
from kgmill.pipelines.storage.scratch import Scratch
from kgmill.schemas.errors import ConfigError, EngineError, WorkerError


@pytest.fixture
def shared(tmp_path):
    return Scratch(tmp_path)


@pytest.fixture
def of_version(monkeypatch):
    """A worker's kgmill is of this version."""
    monkeypatch.setattr(presence.kgmill, "__version__", "0.2.0")


def wanted(shared, version="0.2.0"):
    return SimpleNamespace(version=version, scratch=shared.place, root="/out", memory_mb=0)


def beat(shared, number, **others):
    shared.write("workers/host-1.json", json.dumps({"beats": True, "number": number, "fault": ""} | others).encode())


def test_worker_says_that_it_is_there(shared, of_version):
    """The build hears it; one of an earlier try counts for nothing."""
    beat(shared, 1)
    workers = Workers(shared)
    assert workers.have_come() is False
    meet(wanted(shared))
    assert workers.have_come() is True


def test_worker_of_another_version_or_without_the_output_is_refused(shared, of_version, tmp_path):
    """With what to do about it."""
    with pytest.raises(ConfigError, match=r"has kgmill 0\.2\.0, and the build 9\.9\.9; install "):
        meet(wanted(shared, "9.9.9"))
    with pytest.raises(ConfigError, match=r"^/out: a worker on .* can't see it, or can't write there \(No such file"):
        meet(wanted(Scratch(tmp_path / "elsewhere")))


def test_worker_that_falls_silent_is_dead(shared):
    """A beat begins the count anew; one that left, or that never beats, is missed by nobody."""
    workers = Workers(shared)
    beat(shared, 1)
    for elapsed_s in (2.0, 59.0):
        workers.listen(elapsed_s)
    beat(shared, 2)
    for elapsed_s in (2.0, 59.0):
        workers.listen(elapsed_s)
    shared.remove("workers/host-1.json")
    workers.listen(100.0)
    beat(shared, 3, beats=False)
    for elapsed_s in (2.0, 100.0):
        workers.listen(elapsed_s)
    beat(shared, 4)
    workers.listen(2.0)
    with pytest.raises(WorkerError, match=r"^worker host-1 gave no sign of life for 60 s$") as caught:
        workers.listen(61.0)
    assert caught.value.reason == "timeout"


def test_fault_of_a_worker_is_heard(shared):
    """Of one that had too much memory, for which a document may be to blame, and of one that can't be a worker."""
    workers = Workers(shared)
    assert workers.fault() is None
    beat(shared, 1, fault="a worker had more than 5 MB (worker_memory_mb)")
    assert workers.fault().reason == "out_of_memory"
    workers = Workers(shared)
    tell_fault(shared.place, "another kgmill")
    with pytest.raises(EngineError, match=r"^another kgmill$"):
        workers.listen(1.0)
    assert len(shared.names("workers")) == 1
