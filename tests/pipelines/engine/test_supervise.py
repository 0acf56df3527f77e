"""Supervision: workers that die are started again, and the documents they die on are found."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from kgmill.extractor.candidates import Floors
from kgmill.pipelines.engine.engines import Engine, Job
from kgmill.pipelines.engine.request import Receipt, Request, write_receipt
from kgmill.pipelines.engine.supervise import Suspects, supervise
from kgmill.pipelines.stages import decode, extract, resolve
from kgmill.pipelines.stages.candidates import PredictorSettings, Reading, _calls, _write_mark
from kgmill.pipelines.storage.scratch import Scratch
from kgmill.schemas.decisions import Decisions
from kgmill.schemas.errors import WorkerError
from kgmill.schemas.records import Document


def document(doc_id, text="Hi."):
    return Document(doc_id, f"{doc_id}.txt", "", text, "{}", "0" * 64)


@pytest.fixture
def shared(tmp_path):
    return Scratch(tmp_path)


def work(suspects, shared, documents, deadly):
    """What a worker does with a unit: calls of the model, marked, until one has a deadly document. True: none had."""
    good = [d for d in documents if d.doc_id not in suspects.faults]
    for n_done, call in enumerate(_calls(good, suspects.groups)):
        _write_mark(shared, "00-0000", call, n_done, 1.0)
        if any(d.doc_id in deadly for d in call):
            return False
        shared.remove("calls/00-0000.json")
    return True


@pytest.mark.parametrize("deadly", [{"d0"}, {"d99"}, {"d3", "d4"}, {"d8", "d15", "d70"}])
def test_deadly_documents_are_found_and_no_others(shared, deadly):
    """Of a hundred documents those that kill their worker are marked with the reason, within four deaths each."""
    documents, suspects, n_deaths = [document(f"d{i}") for i in range(100)], Suspects(shared), 0
    while not work(suspects, shared, documents, deadly):
        n_deaths += 1
        assert suspects.accuse(WorkerError("killed by SIGSEGV")) is True
    assert suspects.faults == dict.fromkeys(deadly, "model_crashed: killed by SIGSEGV")
    assert n_deaths <= 4 * len(deadly)


def test_document_that_dies_alone_once_has_a_second_chance(shared):
    """A worker may be killed from outside: one death is nobody's fault."""
    documents, suspects = [document("d0")], Suspects(shared)
    assert work(suspects, shared, documents, {"d0"}) is False
    suspects.accuse(WorkerError("killed"))
    assert (suspects.faults, suspects.groups) == ({}, [["d0"]])
    assert work(suspects, shared, documents, set()) is True


def test_model_that_always_crashes_blames_no_more_documents(shared):
    """When three documents in a row die alone, and no call goes well, the fault is said to be elsewhere."""
    documents, suspects = [document(f"d{i}") for i in range(100)], Suspects(shared)

    def work_and_die():
        while not work(suspects, shared, documents, {d.doc_id for d in documents}):
            suspects.accuse(WorkerError("killed"))

    with pytest.raises(WorkerError, match=r"^extract: killed, with each of 3 documents alone; the fault is hardly"):
        work_and_die()
    assert len(suspects.faults) == 3


def test_death_outside_the_model_blames_nobody(shared):
    """Without a mark no document is under suspicion."""
    suspects = Suspects(shared)
    assert (suspects.accuse(WorkerError("killed")), suspects.groups) == (False, [])


def test_call_over_its_time_is_a_timeout(shared):
    """A call's seconds are counted as long as its mark is the same; a new mark begins anew."""
    suspects = Suspects(shared)
    _write_mark(shared, "00-0000", [document("d0")], 0, 10.0)
    for elapsed_s in (1.0, 6.0, 4.0):  # the first of them finds the mark
        suspects.watch(elapsed_s)
    _write_mark(shared, "00-0000", [document("d1")], 1, 10.0)
    for elapsed_s in (1.0, 6.0, 4.0):
        suspects.watch(elapsed_s)
    with pytest.raises(WorkerError, match=r"^a call of the model took more than 10 s \(document_timeout\)$") as caught:
        suspects.watch(0.2)
    assert caught.value.reason == "timeout"


class Jobs:
    """Stands where the worker stands: each run does what the next of the given functions does with the request."""

    def __init__(self, *runs):
        self.runs = list(runs)
        self.requests = []

    def run(self, request_file, on_poll):
        request = Request.load(request_file)
        self.requests.append(request)
        self.runs.pop(0)(request)
        on_poll(0.2)
        return {"peak_rss_mb": 1.0}


def die(*units):
    """A run that commits the units and dies."""

    def run(request):
        for unit in units:
            write_receipt(request.scratch, Receipt(unit, ""))
        raise WorkerError("killed")

    return run


@pytest.fixture
def request_of_three(store):
    tasks = tuple(decode.Task(unit, "", "", "") for unit in "abc")
    return Request("decode", str(store.storage.root), str(store.scratch()), tasks, decode.Settings({}))


def test_job_goes_on_where_it_was(request_of_three):
    """Units that were committed before the worker died are not done again; each death is told."""
    jobs, notes, polls = Jobs(die("a"), die("b"), lambda request: None), [], []
    supervise(jobs, request_of_three, lambda: polls.append(len(jobs.requests)), notes.append)
    assert [[task.unit for task in request.tasks] for request in jobs.requests] == [[*"abc"], [*"bc"], [*"c"]]
    assert notes == ["decode: killed; it is started again"] * 2
    assert polls == [0, 3]


def test_job_that_regroups_reads_all_again(store):
    """A unit whose part is committed is read again by a job in which what one unit says decides what others get."""
    units = ("a", "b")
    parts = {"names": [SimpleNamespace(unit=unit, fingerprint="", rows=lambda name: 1) for unit in units]}
    parts["ingest"] = [SimpleNamespace(counts={"kept": 1})]
    context = SimpleNamespace(ontology=SimpleNamespace(kinds=()), decisions=Decisions(), pins=())
    todo = resolve.missing(context, store, parts)
    request = Request("resolve", str(store.storage.root), str(store.scratch()), tuple(todo.tasks), todo.settings)
    jobs = Jobs(die("a"), lambda request: None)
    supervise(jobs, request, lambda: None, lambda line: None)
    assert [len(request.tasks) for request in jobs.requests] == [2, 2]


def test_three_deaths_in_the_same_place_are_enough(request_of_three):
    """A worker that dies again and again without a unit gained stops the job; gained units are new hope."""
    jobs = Jobs(die(), die(), die("a"), die(), die(), die())
    with pytest.raises(WorkerError, match=r"^decode: killed, 3 times in a row at the same place$"):
        supervise(jobs, request_of_three, lambda: None, lambda line: None)
    assert jobs.runs == []


def test_extract_is_told_what_is_known(store):
    """The request of a new worker names the suspects that the dead one left."""

    def crash(request):
        (store.storage.root / "mark").write_text("")
        _write_mark(request.shared, "a", [document("d0"), document("d1")], 0, 1.0)
        raise WorkerError("killed")

    jobs = Jobs(crash, lambda request: None)
    settings = extract.Settings(Reading(PredictorSettings("", "cpu", "fp32"), Floors(0.0, 0.0)), "")
    tasks = (extract.Task("a", "", ""),)
    request = Request("extract", str(store.storage.root), str(store.scratch()), tasks, settings)
    supervise(jobs, request, lambda: None, lambda line: None)
    assert [(request.suspects, request.faults) for request in jobs.requests] == [((), {}), ((("d0",), ("d1",)), {})]


class Parallel(Engine):
    """An engine of several workers, whose jobs are told apart."""

    def __init__(self):
        super().__init__("FlinkRunner")
        self.ended = []

    @contextmanager
    def job(self, request):
        try:
            yield Job(())
        finally:
            self.ended.append(request.one_by_one)


def test_suspects_of_many_workers_are_tried_one_unit_after_another(store):
    """As the death of one worker ends all, their units go first, in a job that one worker does; then all others."""

    def crash(request):
        for unit in "ab":
            _write_mark(request.shared, unit, [document(f"{unit}0")], 0, 1.0)
        raise WorkerError("killed")

    def finish(request):
        for task in request.tasks:
            write_receipt(request.scratch, Receipt(task.unit, ""))

    jobs, engine = Jobs(crash, finish, finish), Parallel()
    settings = extract.Settings(Reading(PredictorSettings("", "cpu", "fp32"), Floors(0.0, 0.0)), "")
    tasks = tuple(extract.Task(unit, "", "") for unit in "abc")
    request = Request("extract", str(store.storage.root), str(store.scratch()), tasks, settings, runner="FlinkRunner")
    supervise(jobs, request, lambda: None, lambda line: None, engine)
    assert [[task.unit for task in one.tasks] for one in jobs.requests] == [[*"abc"], [*"ab"], ["c"]]
    assert [len(one.suspects) for one in jobs.requests] == [0, 2, 0]
    assert engine.ended == [False, True, False]
