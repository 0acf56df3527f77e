"""Wikidata's and schema.org's words across servers: one holds our export, another a slice of others' data."""

import httpx
import pytest
from sample_graph import SCHEMA, WD, WDT, XSD, files_of
from sample_others import BIRTHDAYS, BORN, COUNTRIES, PHONES, RDFS, SCHEMA_SLICE, SKOS, WIKIDATA_SLICE

from kgmill.pipelines.triplestores.endpoint import ask

pytestmark = pytest.mark.servers

PREFIXES = {"wdt": WDT, "wd": WD, "schema": SCHEMA, "rdfs": RDFS, "skos": SKOS, "xsd": XSD}
SLICES = {"wikidata": WIKIDATA_SLICE, "schemaorg": SCHEMA_SLICE}
# For each question: whose words it has, what of it others know, and the rows.
QUESTIONS = {
    COUNTRIES: (
        "wikidata",
        "?there wdt:P17/rdfs:label ?country ; wdt:P1082 ?people",
        [("Ada", "France", "2145906")],
    ),
    PHONES: ("schemaorg", "?there skos:exactMatch ?same ; schema:telephone ?phone", [("Ada", "3975")]),
}


def put(url, data, media_type):
    response = httpx.post(f"{url}/store?default", content=data, headers={"Content-Type": media_type}, timeout=60)
    response.raise_for_status()


@pytest.fixture
def servers(oxigraph, tmp_path):
    """Starts two servers: the URLs of that with our export in some words, and of that with others' data in them."""
    with oxigraph() as ours, oxigraph() as theirs:

        def servers(name):
            put(ours, files_of(name, tmp_path)[0][f"{name}.nt.gz"], "application/n-triples")
            put(theirs, SLICES[name].encode(), "text/turtle")
            return ours, theirs

        yield servers


def rows(url, sparql):
    found = ask(f"{url}/query", sparql, PREFIXES)
    return [tuple(row[name].value for name in found.variables) for row in found]


@pytest.mark.parametrize("question", QUESTIONS, ids=["countries", "phones"])
def test_our_facts_lead_to_another_server_s(servers, question):
    """SERVICE asks another server of what ours say is the same place; a server that holds both gives the same rows."""
    name, known_there, expected = QUESTIONS[question]
    ours, theirs = servers(name)
    assert rows(ours, question) == []
    assert known_there in question
    federated = question.replace(known_there, f"SERVICE <{theirs}/query> {{ {known_there} }}")
    assert rows(ours, federated) == expected
    put(ours, SLICES[name].encode(), "text/turtle")
    assert rows(ours, question) == expected


@pytest.mark.parametrize(
    ("question", "name", "n_ours"), [(BORN, "wikidata", 2), (BIRTHDAYS, "schemaorg", 1)], ids=["born", "birthdays"]
)
def test_one_question_is_answered_by_either_server_and_by_both(servers, question, name, n_ours):
    """Written for others' data it runs unchanged on ours, and on a union of what both answer."""
    ours, theirs = servers(name)
    of_ours, of_theirs = rows(ours, question), rows(theirs, question)
    assert (len(of_ours), [row[0] for row in of_theirs]) == (n_ours, ["Marie Curie"])
    pattern = question[question.index("{") + 1 : question.rindex("}")]
    both = f"SELECT ?name ?date WHERE {{ {{ {pattern} }} UNION {{ SERVICE <{theirs}/query> {{ {pattern} }} }} }}"
    assert sorted(rows(ours, both)) == sorted(of_ours + of_theirs)
