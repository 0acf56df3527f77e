"""Aggregate: mentions and relations to entities, facts and evidence, on a real Beam runner."""

import json
from dataclasses import asdict

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages import aggregate, combine
from kgmill.pipelines.storage.files import remove
from kgmill.schemas.identity import entity_id, fact_id, fingerprint, statement_id
from kgmill.schemas.records import Entity, Evidence, Fact, Mention, Relation
from kgmill.schemas.tables import from_table, to_table
from kgmill.schemas.units import Unit

ADA, ACME = "ada-byron-e648949e78b39f67", "acme-3b6bdaf25ab20a8e"
WORKS = "7dc2e0cf8e408e2d"


def mention(doc_id, begin, text, type_name="Org", confidence=0.9):
    return Mention(doc_id, 0, begin, begin + len(text), text, type_name, confidence, entity_id(text, type_name))


def relation(doc_id, head, tail, confidence, name="Work_For"):
    """A relation of two mentions, in a sentence from 0 to 99."""
    ends = (head.begin, head.end), (tail.begin, tail.end)
    return Relation(
        statement_id(doc_id, *ends, name),
        fact_id(head.entity_id, name, tail.entity_id),
        *(doc_id, 0, 0, 99, name),
        *(*ends[0], head.entity_id, *ends[1], tail.entity_id),
        confidence,
    )


def works_for(doc_id, begin, confidence):
    """Ada Byron at an offset works for Acme twenty characters on."""
    ada, acme = mention(doc_id, begin, "Ada Byron", "Peop"), mention(doc_id, begin + 20, "Acme")
    return relation(doc_id, ada, acme, confidence)


NAMES = ("mentions", "relations")
UNITS = {
    "01-0000": (
        [mention("d1", 0, "Ada Byron", "Peop", 0.9), mention("d1", 20, "Acme"), mention("d1", 50, "ACME")],
        [works_for("d1", 0, 0.5)],
    ),
    "01-0001": (
        [
            mention("d2", 0, "Ada Byron", "Peop", 0.8),
            mention("d2", 20, "Acme", confidence=0.95),
            mention("d3", 5, "ACME"),
            mention("d3", 25, "ACME"),
        ],
        [works_for("d2", 0, 0.8), works_for("d2", 40, 0.9)],
    ),
}


def commit_units(store, units):
    """Decode's parts of the units; equal content has an equal fingerprint, as decode's has."""
    return [
        store.commit(
            "decode",
            unit,
            fingerprint([[asdict(row) for row in rows] for rows in (m, r)]),
            {"mentions": to_table("mentions", m), "relations": to_table("relations", r)},
            {},
        )
        for unit, (m, r) in units.items()
    ]


@pytest.fixture
def aggregate_parts(run, store):
    """Combines and aggregates units; returns the partitions' parts, and which groups and partitions were made."""

    def aggregate_parts(units, n_bits=0):
        done, tasks = combine.plan(store, commit_units(store, units), n_bits)
        groups = run(store, "combine", tasks, combine.Settings(n_bits))
        made = [store.find("combine", unit, receipt.fingerprint) for unit, receipt in groups.items()]
        combined = sorted([*done, *made], key=lambda part: part.unit)
        done, tasks = aggregate.plan(store, combined, n_bits)
        settings = aggregate.Settings(tuple((part.unit, part.fingerprint) for part in combined))
        partitions = run(store, "aggregate", tasks, settings)
        made = [store.find("aggregate", unit, receipt.fingerprint) for unit, receipt in partitions.items()]
        parts = sorted([*done, *made], key=lambda part: part.unit)
        return parts, sorted(groups), sorted(partitions)

    return aggregate_parts


@pytest.fixture
def run_aggregate(aggregate_parts):
    """Aggregates units of mentions and relations; returns the tables' records in the order of the partitions."""

    def run_aggregate(units, n_bits=0):
        parts, _, _ = aggregate_parts(units, n_bits)
        assert [part.unit for part in parts] == [str(Unit(n_bits, number)) for number in range(1 << n_bits)]
        for part in parts:
            ids = [*part.read("entities")["entity_id"].to_pylist(), *part.read("facts")["fact_id"].to_pylist()]
            assert {str(Unit.of(name, n_bits)) for name in ids} <= {part.unit}
        return records(parts)

    return run_aggregate


def records(parts):
    return {
        name: [row for part in parts for row in from_table(name, part.read(name))]
        for name in ("entities", "facts", "evidence")
    }


def test_mentions_become_entities(run_aggregate):
    """An entity has all mentions of one name and type; of equally common forms the smallest is its label."""
    assert run_aggregate(UNITS)["entities"] == [
        Entity(ACME, "Org", "ACME", 5, 3, 0.95),
        Entity(ADA, "Peop", "Ada Byron", 2, 2, 0.9),
    ]


def test_relations_become_facts(run_aggregate):
    """Confidence is the mean of the evidence's: (0.5 + 0.8 + 0.9) / 3."""
    [fact] = run_aggregate(UNITS)["facts"]
    assert fact == Fact(WORKS, ADA, "Work_For", ACME, 0.733333, 3, 2)


def test_each_relation_is_evidence(run_aggregate):
    """Evidence keeps document, offsets and confidence, by document and place."""
    found = run_aggregate(UNITS)["evidence"]
    assert found == [
        Evidence(WORKS, "ca9035e71cf38e8e", "d1", 0, 99, 0, 9, 20, 24, 0.5),
        Evidence(WORKS, "37947427c70432aa", "d2", 0, 99, 0, 9, 20, 24, 0.8),
        Evidence(WORKS, "a6edfe9f0d3d7404", "d2", 0, 99, 40, 49, 60, 64, 0.9),
    ]


@pytest.mark.parametrize("n_bits", [1, 3])
def test_partitions_change_only_the_cutting(run_aggregate, n_bits):
    """However many partitions there are, their tables behind one another are those of one partition."""
    names = [f"Name {n}" for n in range(40)]
    many = {
        f"01-000{u}": (
            [mention(doc_id, 10 * n, name) for n, name in enumerate(names)],
            [relation(doc_id, mention(doc_id, 0, "Ada"), mention(doc_id, 9, name), 0.5) for name in names],
        )
        for u, doc_id in enumerate(["d3", "d4"])
    }
    whole = run_aggregate(many)
    assert run_aggregate(many, n_bits) == whole
    assert [len(whole[name]) for name in ("entities", "facts", "evidence")] == [40, 40, 80]


def test_partition_without_rows_is_a_part(run_aggregate):
    """A corpus in which nothing was found has empty tables, not none."""
    assert run_aggregate({"00-0000": ([], [])}, n_bits=1) == {"entities": [], "facts": [], "evidence": []}


def test_nothing_found_is_one_partition(store):
    """No mentions are no reason for a second partition."""
    assert combine.partition_bits(commit_units(store, {"00-0000": ([], [])})) == 0


def document(doc_id, n):
    """The mentions and the relation of one document about two names of its own and one that all share."""
    mentions = [mention(doc_id, 0, f"Name {n}"), mention(doc_id, 20, f"Other {n}"), mention(doc_id, 50, "Everyone")]
    return mentions, [relation(doc_id, mentions[0], mentions[1], 0.5 + n / 100)]


def units_of(documents):
    """Four units of documents by the hash of their ids."""
    units = {str(Unit(2, number)): ([], []) for number in range(4)}
    for doc_id, n in sorted(documents.items()):
        for rows, new in zip(units[str(Unit.of(doc_id, 2))], document(doc_id, n), strict=True):
            rows.extend(new)
    return units


def test_edit_redoes_its_group_and_the_partitions_that_it_touches(aggregate_parts):
    """An edited document costs one group of units; a partition keeps its part unless its own rows changed."""
    documents = {f"d{n}": n for n in range(12)}
    before, groups, partitions = aggregate_parts(units_of(documents), n_bits=4)
    assert (len(groups), len(partitions)) == (4, 16)
    after, groups, partitions = aggregate_parts(units_of(documents | {"d3": 90}), n_bits=4)
    assert groups == [str(Unit.of("d3", 2))]
    rows = [row for n in (3, 90) for rows in document("d3", n) for row in rows]
    ids = {getattr(row, "fact_id", None) or row.entity_id for row in rows} - {entity_id("Everyone", "Org")}
    assert partitions == sorted({str(Unit.of(name, 4)) for name in ids})
    assert [part for part in after if part.unit not in partitions] == [
        part for part in before if part.unit not in partitions
    ]


def test_partition_reads_its_own_slices_alone(run, store, aggregate_parts):
    """A partition is reduced although every other partition's slices are gone: it never holds more than its own."""
    whole, _, _ = aggregate_parts(units_of({f"d{n}": n for n in range(12)}), n_bits=4)
    combined = [
        store.need("combine", manifest["unit"], manifest["fingerprint"])
        for manifest in (json.loads(path.read_text()) for path in sorted(store.tmp.parent.glob("parts/combine/*/man*")))
    ]
    _, tasks = aggregate.plan(Store(store.storage.root / "nowhere"), combined, 4)
    for path in store.storage.root.glob("parts/combine/*/*.parquet"):
        if not path.stem.endswith(f"-{tasks[5].number:02x}"):
            path.unlink()
    remove(store.storage.root / "parts" / "aggregate")
    settings = aggregate.Settings(tuple((part.unit, part.fingerprint) for part in combined))
    assert list(run(store, "aggregate", [tasks[5]], settings)) == [whole[5].unit]
    assert store.need("aggregate", whole[5].unit, tasks[5].fingerprint).files == whole[5].files


def test_history_changes_nothing(store, aggregate_parts):
    """After an edit and its undoing, and from nothing, the partitions' files are the same bytes."""
    documents = {f"d{n}": n for n in range(12)}
    first, _, _ = aggregate_parts(units_of(documents), n_bits=2)
    edited, _, _ = aggregate_parts(units_of(documents | {"d3": 90}), n_bits=2)
    undone, groups, partitions = aggregate_parts(units_of(documents), n_bits=2)
    assert (undone, groups, partitions) == (first, [], [])
    remove(store.storage.root / "parts")
    again, _, _ = aggregate_parts(units_of(documents | {"d3": 90}), n_bits=2)
    assert [part.files for part in again] == [part.files for part in edited]
    assert [part.files for part in again] != [part.files for part in first]


@pytest.mark.parametrize("n_bits", [1, 4])
def test_groups_are_no_more_than_units_or_partitions(store, n_bits):
    """Units are combined in groups, so that slices are few; fewer units than partitions stay as they are."""
    decoded = commit_units(store, units_of({"d1": 1}))
    done, tasks = combine.plan(store, decoded, n_bits)
    assert (done, [task.unit for task in tasks]) == (
        [],
        [str(Unit(min(2, n_bits), number)) for number in range(1 << min(2, n_bits))],
    )
    assert [unit for task in tasks for unit, _ in task.decoded] == [part.unit for part in decoded]


@pytest.mark.parametrize(("n_mentions", "n_bits"), [(100_000, 0), (100_001, 1), (1_600_000, 4), (10**9, 8)])
def test_partitions_grow_with_the_mentions(n_mentions, n_bits):
    """A partition holds about 100,000 mentions, until there are 256 of them."""
    part = Part("decode", "00-0000", "", "", {}, {"mentions.parquet": {"rows": n_mentions}}, None)
    assert combine.partition_bits([part]) == n_bits


# Functions


def aggregated(units):
    """Entities, facts and evidence of units, by the functions that the jobs call."""
    found = [combine.combine_mentions(to_table("mentions", mentions)) for mentions, _ in units]
    entities, surfaces = (pa.concat_tables(tables) for tables in zip(*found, strict=True))
    relations = to_table("relations", [relation for _, rows in units for relation in rows])
    return aggregate.reduce_entities(entities, surfaces), *aggregate.reduce_facts(relations)


@given(data=st.data(), order=st.permutations(range(12)))
def test_order_changes_nothing(data, order):
    """Rows in any order, and documents in any units, make the same tables to the last bit."""
    documents = [
        (
            [
                mention(f"d{n}", 0, "Ada Byron", "Peop", 0.1 + n / 17),
                mention(f"d{n}", 20, ("Acme", "ACME", "acme")[n % 3]),
            ],
            [works_for(f"d{n}", 0, 0.3 + n / 23), works_for(f"d{n}", 50, 0.9 - n / 31)],
        )
        for n in range(12)
    ]
    units = [([], []) for _ in range(3)]
    for n in order:
        unit = units[data.draw(st.integers(0, 2))]
        unit[0].extend(data.draw(st.permutations(documents[n][0])))
        unit[1].extend(data.draw(st.permutations(documents[n][1])))
    assert aggregated(units) == aggregated(documents)


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        (["Acme", "ACME", "acme"], "ACME"),
        (["Acme", "ACME", "acme", "acme"], "acme"),
        (["Żarz", "zarz", "Zarz", "😀", "￮"], "Zarz"),
    ],
)
def test_label_is_the_commonest_form(forms, expected):
    """The commonest surface form is the label; of equally common ones the smallest by code points."""
    rows = [{"entity_id": "x", "text": text, "n_mentions": 1} for text in forms]
    entity = {"entity_id": "x", "type": "Org", "n_documents": 1, "confidence": 0.5}
    table = aggregate.reduce_entities(pa.Table.from_pylist([entity]), pa.Table.from_pylist(rows))
    [found] = from_table("entities", table)
    assert (found.label, found.n_mentions) == (expected, len(forms))


def test_label_is_folded():
    """Forms that look alike are counted together, and the label has none of what sets them apart."""
    forms = ("Anne\u2011Marie\nMoss", "Anne\u2013Marie  Moss", "ANNE-MARIE MOSS", "Anne-Ma\u00adrie Moss")
    mentions = [mention(f"d{n}", 0, text, "Peop") for n, text in enumerate(forms)]
    [found] = from_table("entities", aggregated([(mentions, [])])[0])
    assert (found.label, found.n_mentions, found.n_documents) == ("Anne-Marie Moss", 4, 4)


@pytest.mark.parametrize(
    ("confidences", "expected"),
    [([0.5], 0.5), ([0.5, 0.5], 0.5), ([0.9, 0.8, 0.4], 0.7), ([1.0, 0.3], 0.65), ([0.0], 0.0)],
)
def test_confidence_is_the_mean(confidences, expected):
    """Worked by hand."""
    relations = to_table("relations", [works_for("d", 50 * i, c) for i, c in enumerate(confidences)])
    facts, _ = aggregate.reduce_facts(relations)
    assert facts["confidence"].to_pylist() == [expected]


def test_plan_depends_on_units_and_not_on_their_order(store):
    """A group's fingerprint is that of the set of its decoded parts."""
    parts = commit_units(store, {str(Unit(2, n)): ([], []) for n in range(4)})
    [task] = combine.plan(store, parts, 0)[1]
    assert combine.plan(store, parts[::-1], 0)[1] == [task]
    assert combine.plan(store, parts[:3], 0)[1][0].fingerprint != task.fingerprint
