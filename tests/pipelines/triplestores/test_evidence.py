"""From a fact back to the file it came from, by triples alone, on the embedded store of a real build."""

import json
from pathlib import Path

import pytest

from kgmill.pipelines.triplestores.query import format_result, query

TEXT = (Path(__file__).resolve().parents[3] / "examples" / "evidence.rq").read_text(encoding="utf-8")
LINES = [
    {"id": "a", "text": "Ada Byron worked for Acme Corp in Paris . Bob Stone lives in London .", "desk": "Science"},
    {"id": "b", "text": "Bob Stone lives in London .", "seen": "1921-03-14"},
]


@pytest.fixture(scope="module")
def built(build_here, tmp_path_factory):
    """Builds two documents of one file; returns the output folder."""
    folder = tmp_path_factory.mktemp("evidence")
    (folder / "letters.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in LINES))

    def built(name, **settings):
        if not (folder / name).exists():
            build_here(folder / "letters.jsonl", folder / name, **settings)
        return folder / name

    return built


def rows(out, sparql):
    """The rows of an answer, each by name."""
    found = json.loads(format_result(query(out, sparql), "json"))
    return [{name: term["value"] for name, term in row.items()} for row in found["results"]["bindings"]]


def test_fact_leads_to_its_sentences_and_their_source(built):
    """Each fact has every sentence that says it, with its words, its document and the file."""
    found = rows(built("sentences"), TEXT)
    lives = [row for row in found if row["relation"].endswith("#Live_In")]
    d = "https://kg.example.org/kg/doc/"
    assert [(r["head"], r["tail"], r["words"], r["text"], r["document"], r["source"]) for r in lives] == [
        ("Bob Stone", "London", "Bob Stone", "Bob Stone lives in London .", f"{d}{name}", "letters.jsonl")
        for name in ("a", "b")
    ]
    assert {row["text"] for row in found} - {"Bob Stone lives in London ."} == {
        "Ada Byron worked for Acme Corp in Paris ."
    }


@pytest.mark.parametrize(
    ("text", "n_sentences", "n_texts"),
    [pytest.param("none", 0, 0, marks=pytest.mark.slow), ("sentences", 3, 0), ("full", 3, 2)],
)
def test_text_is_as_much_as_was_asked_for(built, text, n_sentences, n_texts):
    """The text of sentences and of documents is there or not; that of mentions always is."""
    out = built(text, text=text)
    [counts] = rows(
        out,
        """SELECT (COUNT(DISTINCT ?s) AS ?sentences) (COUNT(DISTINCT ?c) AS ?texts) (COUNT(DISTINCT ?m) AS ?mentions) {
            { ?s a nif:Sentence ; nif:anchorOf ?a } UNION { ?c a nif:Context ; nif:isString ?a }
            UNION { ?m a nif:Phrase ; nif:anchorOf ?a }
        }""",
    )
    assert counts == {"sentences": str(n_sentences), "texts": str(n_texts), "mentions": "7"}


def test_metadata_is_said_of_the_document(built):
    """A field of a record is the property that the configuration gives it; a day is a date."""
    out = built("metadata", metadata={"desk": "schema:articleSection", "seen": "dcterms:issued"})
    found = rows(
        out,
        """PREFIX schema: <https://schema.org/>
        SELECT ?desk (DATATYPE(?seen) AS ?type) { ?d a x:Document
            OPTIONAL { ?d schema:articleSection ?desk } OPTIONAL { ?d dcterms:issued ?seen } } ORDER BY ?d""",
    )
    assert found == [{"desk": "Science"}, {"type": "http://www.w3.org/2001/XMLSchema#date"}]
