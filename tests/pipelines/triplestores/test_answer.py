"""The answer to a query in a child process, which signals and the clock can end."""

import gzip
import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kgmill.pipelines.triplestores.answer import answer
from kgmill.pipelines.triplestores.query import format_result, query
from kgmill.schemas.errors import TimeLimitError, UsageError

ROOT = Path(__file__).resolve().parents[3]
BASE = "urn:kgmill:dataset:news:"
# Hours of work in native code, for a graph of 600 triples.
ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?p ?b . ?c ?q ?d . ?e ?r ?f . ?g ?s ?h FILTER(STR(?a) > STR(?h)) }"
FAR_LESS_THAN_IT_TAKES_S = 60  # and far more than a busy machine needs to hear


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A finished build of 600 entities, with its store."""
    folder = tmp_path_factory.mktemp("build")
    graph = f"<{BASE}news/graph/kg>"
    label = "<http://www.w3.org/2000/01/rdf-schema#label>"
    lines = [f'<{BASE}news/entity/e{n}> {label} "Entity {n}" {graph} .\n' for n in range(600)]
    lines += [f"<{BASE}news/entity/e1> <{BASE}vocab#Live_In> <{BASE}news/entity/e2> {graph} .\n"]
    (folder / "graph").mkdir()
    (folder / "graph" / "graph.nq.gz").write_bytes(gzip.compress("".join(lines).encode()))
    sha256 = hashlib.sha256("".join(lines).encode()).hexdigest()
    (folder / "run.json").write_text(json.dumps({"graph": {"sha256": sha256}}))
    assert answer(folder, "ASK {}", "table") == "yes"
    return folder


def test_answer_is_the_text(build):
    """What the child formats arrives whole, whatever its characters."""
    assert answer(build, 'SELECT ("Łódź\\u0021" AS ?city) {}', "csv") == "city\r\nŁódź!"


def test_errors_arrive_as_they_were(build, tmp_path):
    """A query that isn't one, and a folder without a build, are the same errors as without a child."""
    with pytest.raises(UsageError, match=r"not a SPARQL 1\.1 query: error at 1:"):
        answer(build, "nonsense", "table")
    with pytest.raises(UsageError, match="no finished build here"):
        answer(tmp_path, "ASK {}", "table")


def test_time_limit_ends_a_query(build):
    """A query that would take hours ends when its time is up, with the way out."""
    started = time.monotonic()
    with pytest.raises(TimeLimitError) as error:
        answer(build, ENDLESS, "table", 0.5)
    assert str(error.value) == "no answer within 0.5 s (--timeout); ask for less, with LIMIT or with a label given"
    assert time.monotonic() - started < FAR_LESS_THAN_IT_TAKES_S


def test_time_limit_that_is_not_reached_changes_nothing(build):
    """A quick answer is the answer."""
    assert answer(build, "ASK {}", "table", 60.0) == "yes"


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan")])
def test_time_limit_is_above_zero(build, timeout_s):
    """No time at all is a mistake."""
    with pytest.raises(UsageError, match="wanted a number of seconds above 0"):
        answer(build, "ASK {}", "table", timeout_s)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_query(build, number, code):
    """Ctrl-C and SIGTERM end the command, with one line, and the child with it, whatever the query takes."""
    command = [sys.executable, "-m", "kgmill.flows.cli", "query", build, ENDLESS]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=hear_signals) as process:
        child = wait_for_child(process.pid)
        time.sleep(0.5)
        process.send_signal(number)
        try:
            errors = process.communicate(timeout=FAR_LESS_THAN_IT_TAKES_S)[1]
        finally:
            process.kill()
    assert (process.returncode, len(errors.splitlines())) == (code, 1)
    assert not Path(f"/proc/{child}").exists()


def hear_signals():
    """What a shell runs in the background is born deaf to Ctrl-C, and so would be what tests start there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_child_dies_with_its_parent(build):
    """A command that was killed leaves no child that goes on counting."""
    command = [sys.executable, "-m", "kgmill.flows.cli", "query", build, ENDLESS]
    with subprocess.Popen(command, cwd=ROOT) as process:
        child = wait_for_child(process.pid)
        time.sleep(0.5)
        process.kill()
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(child)


def wait_for_child(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    for _ in range(400):
        if children := path.read_text().split():
            return int(children[0])
        time.sleep(0.05)
    return pytest.fail("the query started no child")


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# The dataset's own prefixes


def ask(build, sparql, format_name):
    return format_result(query(build, sparql), format_name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v:Live_In", f"{BASE}vocab#Live_In"),
        ("x:confidence", "urn:kgmill:ns:confidence"),
        ("e:e1", f"{BASE}news/entity/e1"),
        ("d:letter", f"{BASE}news/doc/letter"),
        ("g:kg", f"{BASE}news/graph/kg"),
    ],
)
def test_dataset_has_prefixes(build, name, expected):
    """What the dataset's names begin with needs no declaration."""
    assert ask(build, f"SELECT ({name} AS ?iri) {{}}", "csv") == f"iri\r\n{expected}"


def test_declared_prefix_wins(build):
    """A query that declares one of them means its own."""
    assert ask(build, "PREFIX v: <a:> SELECT (v:b AS ?iri) {}", "csv") == "iri\r\na:b"


def test_prefixes_find_facts(build):
    """A fact is found by the short names of its relation and entity, and entities are shown whole."""
    found = json.loads(ask(build, "SELECT ?tail { GRAPH g:kg { e:e1 v:Live_In ?tail } }", "table"))
    assert found["rows"] == [[f"<{BASE}news/entity/e2>"]]


def test_long_names_are_whole(build):
    """An IRI that is longer than a cell isn't cut: it couldn't be asked for."""
    long = f"urn:kgmill:dataset:{'x' * 80}"
    assert json.loads(ask(build, f"SELECT (<{long}> AS ?iri) {{}}", "table"))["rows"] == [[f"<{long}>"]]


def test_byte_order_mark_is_no_query(build):
    """A query that an editor put a byte order mark before is answered."""
    assert ask(build, "\ufeffASK {}", "table") == "yes"
