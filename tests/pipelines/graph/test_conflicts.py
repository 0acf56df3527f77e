"""Facts that contradict one another in the graph: what is said of them, and the query that lists them."""

from dataclasses import replace
from pathlib import Path

import pyoxigraph as ox
from sample_records import ADA, FACT, LONDON, NS, short

from kgmill.pipelines.graph.statements import entity_quads, fact_quads
from kgmill.schemas.literals import XSD
from kgmill.schemas.records import Entity

QUERY = (Path(__file__).resolve().parents[3] / "examples" / "conflicts.rq").read_text(encoding="utf-8")
ROME = "rome-2"
KEPT = replace(FACT, conflict_share=0.75)
OVERRULED = replace(FACT, fact_id="ee", tail=ROME, asserted=False, conflict_share=0.25, overruled_by=FACT.fact_id)


def test_share_and_what_overrules_a_fact_are_said():
    """The one that stands has its share; the other says by which it is overruled, and is no plain triple."""
    before = [line.replace("5d0c9b", "ee").replace(LONDON, ROME) for line in short(fact_quads(NS, FACT, []))]
    assert set(short(fact_quads(NS, KEPT, []))) - set(short(fact_quads(NS, FACT, []))) == {
        '<s:a-5d0c9b> <x:conflictShare> "0.75"^^<xsd:decimal> <g:kg> .'
    }
    found = short(fact_quads(NS, OVERRULED, []))
    assert set(found) - set(before) == {
        '<s:a-ee> <x:conflictShare> "0.25"^^<xsd:decimal> <g:kg> .',
        "<s:a-ee> <x:overruledBy> <s:a-5d0c9b> <g:kg> .",
    }
    assert set(before) - set(found) == {f"<e:{ADA}> <v:Live_In> <e:{ROME}> <g:kg> ."}


def test_query_lists_winners_and_losers():
    """examples/conflicts.rq names what stands and what it overrules, entities and values; facts in no conflict not."""
    day = {"tail": "", "datatype": f"{XSD}gYear"}
    facts = [
        *(KEPT, OVERRULED, replace(FACT, fact_id="f0")),
        replace(FACT, fact_id="f1", **day, value="1815", conflict_share=0.6),
        replace(FACT, fact_id="f2", **day, value="1816", conflict_share=0.4, overruled_by="f1"),
    ]
    places = (ADA, "Peop", "Ada"), (LONDON, "Loc", "London"), (ROME, "Loc", "Rome")
    lines = [line for id_, kind, label in places for line in entity_quads(NS, Entity(id_, kind, label, 1, 1, 0.9), [])]
    lines += [line for fact in facts for line in fact_quads(NS, fact, [])]
    store = ox.Store()
    store.load("".join(lines), ox.RdfFormat.N_QUADS)
    rows = [[term.value for term in row] for row in store.query(QUERY)]
    assert rows == [
        ["Ada", "https://kg.example.org/vocab#Live_In", "1815", "0.6", "1816", "0.4"],
        ["Ada", "https://kg.example.org/vocab#Live_In", "London", "0.75", "Rome", "0.25"],
    ]
