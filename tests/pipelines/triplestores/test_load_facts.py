"""Facts in the store's default graph, for people whose queries have no GRAPH."""

import httpx
import pytest
from store_builds import FACTS, GRAPHS, NEW_FACTS, E, V, build_again, make_build, quads

from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.pipelines.triplestores.load import load
from kgmill.schemas.errors import StoreError, UsageError

DEFAULT = Wishes(facts="default")
PLAIN = sorted(quads({iri: lines for iri, lines in GRAPHS.items() if iri != FACTS}) + GRAPHS[FACTS])


def test_facts_go_into_the_default_graph(build, endpoint, dump):
    """A pattern without GRAPH finds them in a store as it comes, and a second load writes nothing."""
    report = load(build, endpoint, wishes=DEFAULT)
    assert (report.n_replaced, report.facts, dump()) == (6, "", PLAIN)
    question = f'SELECT ?city {{ ?a <http://www.w3.org/2000/01/rdf-schema#label> "Ada Łovelace" ; <{V}Live_In> ?city }}'
    answer = httpx.get(f"{endpoint}/query", params={"query": question}, headers={"Accept": "text/csv"})
    assert answer.text == f"city\r\n{E}london\r\n"
    assert load(build, endpoint, wishes=DEFAULT).n_unchanged == 6


BORN = {
    "1815-12-10": f'<{E}ada> <{V}Born_On> "1815-12-10"^^<http://www.w3.org/2001/XMLSchema#date> .\n',
    "1815-12": f'<{E}ada> <{V}Born_On> "1815-12"^^<http://www.w3.org/2001/XMLSchema#gYearMonth> .\n',
    "1815": f'<{E}ada> <{V}Born_On> "1815"^^<http://www.w3.org/2001/XMLSchema#gYear> .\n',
    "one winter": f'<{E}ada> <{V}Born_On> "one winter" .\n',
}


def test_values_are_loaded_as_they_are(build, proxy, dump):
    """Dates, months, years and words come back as they went in: a load sends the difference, a second one nothing."""
    before, after = ([*GRAPHS[FACTS], *map(BORN.get, names)] for names in (("1815", "one winter"), BORN))
    make_build(build, GRAPHS | {FACTS: before})
    load(build, proxy.url)
    build_again(build, GRAPHS | {FACTS: after}, 1)
    report = load(build, proxy.url)
    assert (report.n_inserted, report.n_deleted, dump()) == (2, 0, sorted(quads(GRAPHS | {FACTS: after})))
    assert load(build, proxy.url).n_unchanged == 6


def test_default_graph_gets_the_difference(build, proxy, dump):
    """What a run recorded is sent to the default graph."""
    load(build, proxy.url, wishes=DEFAULT)
    build_again(build, GRAPHS | {FACTS: NEW_FACTS}, 1)
    proxy.requests.clear()
    report = load(build, proxy.url, wishes=DEFAULT)
    assert (report.n_changed, report.n_inserted, report.n_deleted) == (1, 4, 1)
    assert [kind for kind, _ in proxy.writes()] == ["PUT", "UPDATE", "PUT"]
    assert dump() == sorted(quads({iri: lines for iri, lines in GRAPHS.items() if iri != FACTS}) + NEW_FACTS)


def test_default_graph_is_compared(build, proxy, dump):
    """Without a history the default graph is read."""
    load(build, proxy.url, wishes=DEFAULT)
    make_build(build, GRAPHS | {FACTS: NEW_FACTS})
    proxy.requests.clear()
    load(build, proxy.url, wishes=DEFAULT)
    assert ("GET", "default") in proxy.writes()
    assert dump() == sorted(quads({iri: lines for iri, lines in GRAPHS.items() if iri != FACTS}) + NEW_FACTS)


@pytest.mark.parametrize(("first", "then", "expected"), [("graph", "default", PLAIN), ("default", "graph", None)])
def test_facts_can_move(build, endpoint, dump, first, then, expected):
    """A load that wants them elsewhere moves them, and leaves none behind."""
    load(build, endpoint, wishes=Wishes(facts=first))
    load(build, endpoint, wishes=Wishes(facts=then))
    assert dump() == (expected or sorted(quads(GRAPHS)))
    assert load(build, endpoint, wishes=Wishes(facts=then)).n_unchanged == 6


@pytest.mark.parametrize("then", ["graph", "default"])
def test_move_that_died_is_healed(build, proxy, dump, then):
    """A load that broke while the facts moved is finished, or taken back."""
    load(build, proxy.url)
    proxy.faults["POST"] = [500]
    with pytest.raises(StoreError):
        load(build, proxy.url, wishes=DEFAULT)
    load(build, proxy.url, wishes=Wishes(facts=then))
    assert dump() == (PLAIN if then == "default" else sorted(quads(GRAPHS)))


def test_second_dataset_is_no_neighbour(build, tmp_path, proxy):
    """Two datasets can't share the default graph."""
    make_build(tmp_path / "other", {iri.replace("/news/", "/press/"): lines for iri, lines in GRAPHS.items()})
    load(tmp_path / "other", proxy.url)
    proxy.requests.clear()
    with pytest.raises(UsageError, match=r"holds another dataset too, <https://kg\.example\.org/press/graph/meta>"):
        load(build, proxy.url, wishes=DEFAULT)
    assert proxy.writes() == []


def test_what_others_put_there_stays(build, proxy, update, dump):
    """A default graph with somebody else's triples is left alone, unless they may go."""
    update(f"INSERT DATA {{ <{E}x> <{V}y> <{E}z> }}")
    with pytest.raises(UsageError, match="its default graph holds 1 triples, 0 of them loaded from this folder"):
        load(build, proxy.url, wishes=DEFAULT)
    assert proxy.writes() == []
    load(build, proxy.url, wishes=Wishes(facts="default", prune=True))
    assert dump() == PLAIN


def test_what_others_added_later_stays(build, endpoint, update):
    """A triple that came into the default graph after our load is nobody's to delete."""
    load(build, endpoint, wishes=DEFAULT)
    update(f"INSERT DATA {{ <{E}x> <{V}y> <{E}z> }}")
    for facts in ("graph", "default"):
        with pytest.raises(UsageError, match="its default graph holds 13 triples, 12 of them loaded"):
            load(build, endpoint, wishes=Wishes(facts=facts))


@pytest.mark.parametrize("profile", ["virtuoso", "rdf4j"])
def test_union_is_no_default_graph(build, proxy, profile):
    """Stores whose default graph is the union of all need no such thing, and are not written to."""
    with pytest.raises(UsageError, match="has no default graph of its own"):
        load(build, proxy.url, profile, wishes=DEFAULT)
    assert proxy.requests == []


def test_default_graph_is_emptied_with_the_facts(build, endpoint, dump):
    """A build without entities leaves no facts behind."""
    load(build, endpoint, wishes=DEFAULT)
    graphs = {iri: lines for iri, lines in GRAPHS.items() if iri != FACTS}
    make_build(build, graphs)
    load(build, endpoint, wishes=DEFAULT)
    assert dump() == sorted(quads(graphs))
