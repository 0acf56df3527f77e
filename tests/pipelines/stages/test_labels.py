"""Labels: entities and facts of two partitions to the tables that people read, on a real Beam runner."""

from dataclasses import replace
from datetime import date

import pytest

from kgmill.pipelines.stages import export, labels
from kgmill.schemas.identity import bucket, fact_bucket, fact_id
from kgmill.schemas.literals import XSD
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Entity, Fact, Name
from kgmill.schemas.tables import PUBLISHED, to_table
from kgmill.schemas.units import Unit

ONTOLOGY = {
    "entities": {"Peop": {}, "Loc": {}, "Day": {"literal": "date"}},
    "relations": {"Live_In": {"head": ["Peop"], "tail": ["Loc"]}, "Born_On": {"head": ["Peop"], "tail": ["Day"]}},
}
NAMES = export.Names("https://kg.example.org/", "kg", parse_ontology(ONTOLOGY, "test"), "3f9a", "ef" * 32, "m", {})
ADA, BOB, LONDON, OSLO = (
    "ada-6998d6a848a45b69",
    "bob-fe69defd7d1d6db1",
    "london-72fb52add76af9fe",
    "oslo-0000000000000000",
)
ENTITIES = [
    Entity(ADA, "Peop", "Ada Byron", 3, 2, 0.9),
    Entity(BOB, "Peop", "Bob", 1, 1, 0.9),
    Entity(LONDON, "Loc", "London", 1, 1, 0.8),
    Entity(OSLO, "Loc", "Oslo", 1, 1, 0.8),
]
CALLED = [
    *(Name(ADA, "Ada Byron", "", 2), Name(ADA, "Lovelace", "decision", 1), Name(ADA, "Ada", "short", 1)),
    *(
        Name(ADA, "Ada", "spelling", 1),
        Name(BOB, "Bob", "", 1),
        Name(LONDON, "London", "", 1),
        Name(OSLO, "Oslo", "", 1),
    ),
]
DATE = XSD + "date"
BORN = ("1815-12-10", DATE)
FACTS = [
    Fact(fact_id(ADA, "Live_In", LONDON), ADA, "Live_In", LONDON, 0.75, 1, 1, first="1842-07-01", last="1843"),
    Fact(fact_id(BOB, "Live_In", OSLO), BOB, "Live_In", OSLO, 0.75, 1, 1),
    Fact(fact_id(ADA, "Born_On", *BORN), ADA, "Born_On", "", 0.5, 1, 1, *BORN),
    Fact(fact_id(BOB, "Born_On", "1920", XSD + "gYear"), BOB, "Born_On", "", 0.5, 1, 1, "1920", XSD + "gYear"),
]
N_BITS = 3


def partition(number):
    return str(Unit(N_BITS, number >> (8 - N_BITS)))


@pytest.fixture
def run_labels(store, run):
    """Runs the job on partitions of these records; returns their parts by unit."""

    def run_labels(entities=ENTITIES, names=NAMES, version="a"):
        parts = []
        for unit in map(str, Unit.each(N_BITS)):
            tables = {
                "entities": [e for e in entities if partition(bucket(e.entity_id)) == unit],
                "names": [n for n in CALLED if partition(bucket(n.entity_id)) == unit],
                "facts": [f for f in FACTS if partition(fact_bucket(f.fact_id)) == unit],
            }
            rows = {name: to_table(name, found) for name, found in tables.items()}
            changed = [e for e in tables["entities"] if e not in ENTITIES]
            key = (version if changed else "a") * 64
            parts.append(store.commit("aggregate", unit, key, rows, {}))
        settings = labels.Settings(names, tuple((part.unit, part.fingerprint) for part in parts))
        tasks = [labels.Task(f"read-{part.unit}", part.unit, part.fingerprint) for part in parts]
        receipts = run(store, "labels", tasks, settings)
        return {unit: store.need("labels", unit, receipt.fingerprint) for unit, receipt in receipts.items()}

    return run_labels


def rows(parts, table):
    return [row for _, part in sorted(parts.items()) for row in part.read(table).to_pylist()]


def test_sample_lies_in_several_partitions():
    """Ends and facts of the sample lie apart, or nothing here would be regrouped."""
    (fact,) = [f for f in FACTS if f.head == ADA and f.tail]
    assert len({partition(bucket(ADA)), partition(bucket(LONDON)), partition(fact_bucket(fact.fact_id))}) > 1


def test_facts_tell_their_ends(run_labels):
    """Labels and types of both ends, whatever partition they lie in; a value is its own label; days where there are."""
    facts = {(f["head"], f["relation"]): f for f in rows(run_labels(), "facts")}

    assert len(facts) == 4
    told = facts[ADA, "Live_In"]
    assert [told[name] for name in ("head_label", "head_type", "tail_label", "tail_type")] == [
        *("Ada Byron", "Peop", "London", "Loc")
    ]
    assert (told["first_day"], told["last_day"], told["value_day"]) == (date(1842, 7, 1), None, None)
    assert told["relation_iri"] == "https://kg.example.org/vocab#Live_In"
    born = facts[ADA, "Born_On"]
    assert (born["tail_label"], born["tail_type"], born["value_day"]) == ("1815-12-10", "Day", date(1815, 12, 10))
    year = facts[BOB, "Born_On"]
    assert (year["tail_label"], year["value_day"]) == ("1920", None)


def test_entities_tell_their_other_names(run_labels):
    """In the order of the table of names, each once, and not the label; and the IRI that the graph has."""
    entities = {e["entity_id"]: e for e in rows(run_labels(), "entities")}

    assert entities[ADA]["aliases"] == ["Lovelace", "Ada"]
    assert entities[BOB]["aliases"] == []
    assert entities[BOB]["iri"] == f"https://kg.example.org/kg/entity/{BOB}"
    assert {e["label"] for e in entities.values()} == {"Ada Byron", "Bob", "London", "Oslo"}


def test_files_say_what_they_are_made_of(run_labels):
    """Columns are those that are promised; a file says its table, dataset, base, model and run, and no time or host."""
    part = run_labels()[partition(bucket(ADA))]

    for name in labels.TABLES:
        schema = part.read(name).schema
        assert schema == PUBLISHED[name]
        assert schema.metadata == {
            b"kgmill.table": name.encode(),
            b"kgmill.made_by": f"labels {labels.VERSION}".encode(),
            b"kgmill.dataset": b"kg",
            b"kgmill.base_iri": b"https://kg.example.org/",
            b"kgmill.model": b"ef" * 32,
            b"kgmill.run": b"3f9a",
        }


def test_new_label_redoes_what_names_it(run_labels):
    """The partition of the entity and those of the facts that it is an end of; all others keep their parts."""
    before = run_labels()
    after = run_labels([*ENTITIES[:3], replace(ENTITIES[3], label="OSLO")], version="b")

    changed = {unit for unit in before if before[unit].fingerprint != after[unit].fingerprint}
    named = {partition(fact_bucket(f.fact_id)) for f in FACTS if OSLO in (f.head, f.tail)}
    assert changed == {partition(bucket(OSLO)), *named}
    assert len(changed) < len(before)
    assert [f["tail_label"] for f in rows(after, "facts") if f["tail"] == OSLO] == ["OSLO"]


def test_new_base_renames(run_labels):
    """Another base IRI is in every table."""
    parts = run_labels(names=replace(NAMES, base_iri="https://other.example.org/"))
    assert {e["iri"].partition("/kg/")[0] for e in rows(parts, "entities")} == {"https://other.example.org"}


def test_end_that_is_no_entity(run_labels):
    """An end without a row among the entities has no label; the fact stays."""
    facts = rows(run_labels(ENTITIES[:3], version="c"), "facts")
    assert [f["tail_label"] for f in facts if f["tail"] == OSLO] == [""]
