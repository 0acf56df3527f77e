"""A document that was forgotten leaves a real store with the next load, by the exact difference, and the journal."""

import json

import pytest

from kgmill.pipelines.triplestores.load import load
from kgmill.schemas.errors import UsageError

GONE = "letters/carl.txt"
TEXTS = {
    "a.txt": "Ada Byron worked for Acme Corp in Paris .",
    "b.txt": "Bob Stone lives in London .",
    GONE: "Carl May killed Dora Lane in Rome . Bob Stone lives in London .",
    **{f"c{n}.txt": f"The weather in Oslo was cold . Report {n} ." for n in range(6)},
}
TRACES = ("letters%2Fcarl", "carl.txt", "Carl", "Dora", "Rome")


@pytest.fixture
def built(build_here, tmp_path):
    for name, text in TEXTS.items():
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_text(text)
    build_here(tmp_path / "source", tmp_path / "out")
    return tmp_path / "out"


def test_store_forgets_with_the_next_load(built, proxy, dump, forget_here, traces):
    """Its graph goes, kg and links get the difference, no trace is left there or in DIR, and no other graph is sent."""
    load(built, proxy.url)
    assert any("Dora" in line for line in dump())
    forget_here(built, GONE)
    assert traces(built, TRACES) == []
    proxy.requests.clear()
    report = load(built, proxy.url)
    assert report.n_removed == 1
    assert (report.n_inserted > 0, report.n_deleted > 0) == (True, True)
    assert not any(trace in line for line in dump(whole=True) for trace in TRACES)
    assert [what for method, what in proxy.requests if method == "PUT" and "doc" in what] == []
    [journal] = (built / "load").glob("*.json")
    assert not any("forgotten" in name for name in json.loads(journal.read_text())["graphs"])
    assert load(built, proxy.url).n_replaced == 0


@pytest.mark.slow
def test_foreign_graph_is_still_refused(built, endpoint, update, forget_here):
    """What this folder never loaded is no graph that was forgotten."""
    load(built, endpoint)
    forget_here(built, GONE)
    update("INSERT DATA { GRAPH <https://kg.example.org/kg/graph/doc/other> { <a:a> <a:b> <a:c> } }")
    with pytest.raises(UsageError, match="graphs under"):
        load(built, endpoint)
