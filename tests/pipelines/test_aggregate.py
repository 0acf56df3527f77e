"""Aggregate: mentions and relations to entities, facts and evidence, on a real Beam runner."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import aggregate
from schemas.identity import entity_id, fact_id, statement_id, unit_name, unit_of
from schemas.records import Entity, Evidence, Fact, Mention, Relation
from schemas.tables import from_table, to_table

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


@pytest.fixture
def run_aggregate(run, store):
    """Aggregates units of mentions and relations; returns the tables' records in the order of the partitions."""

    def run_aggregate(units, n_bits=0):
        decoded = [
            store.commit(
                "decode",
                unit,
                "cd" * 32,
                {"mentions": to_table("mentions", m), "relations": to_table("relations", r)},
                {},
            )
            for unit, (m, r) in units.items()
        ]
        key, tasks = aggregate.plan(decoded)
        key = f"{n_bits}{key[1:]}"  # so that every cutting makes parts of its own
        receipts = run(store, "aggregate", tasks, {"n_bits": n_bits, "key": key})
        assert sorted(receipts) == [f"{n_bits:02d}-000{number}" for number in range(1 << n_bits)]
        parts = [store.find("aggregate", unit, key) for unit in sorted(receipts)]
        for part in parts:
            ids = [*part.read("entities")["entity_id"].to_pylist(), *part.read("facts")["fact_id"].to_pylist()]
            assert {unit_name(n_bits, unit_of(name, n_bits)) for name in ids} <= {part.unit}
        return {
            name: [row for part in parts for row in from_table(name, part.read(name))]
            for name in ("entities", "facts", "evidence")
        }

    return run_aggregate


def test_mentions_become_entities(run_aggregate):
    """An entity has all mentions of one name and type; of equally common forms the smallest is its label."""
    assert run_aggregate(UNITS)["entities"] == [
        Entity(ACME, "Org", "ACME", 5, 3, 0.95),
        Entity(ADA, "Peop", "Ada Byron", 2, 2, 0.9),
    ]


def test_relations_become_facts(run_aggregate):
    """Confidence is one minus the product of one minus each: 1 - 0.5 * 0.2 * 0.1 = 0.99."""
    [fact] = run_aggregate(UNITS)["facts"]
    assert fact == Fact(WORKS, ADA, "Work_For", ACME, 0.99, 3, 2)


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
    empty = {"mentions": to_table("mentions", []), "relations": to_table("relations", [])}
    part = store.commit("decode", "00-0000", "cd" * 32, empty, {})
    assert (aggregate.partition_bits([part]), aggregate.partitions(0)) == (0, ["00-0000"])


# Functions


def aggregated(units):
    """Entities, facts and evidence of units, by the functions that the job calls."""
    surfaces, counts = [], []
    for mentions, _ in units:
        found = aggregate.combine_mentions(mentions)
        surfaces += [dict(zip(("entity_id", "type", "text", "n_mentions", "confidence"), row)) for row in found[0]]  # noqa: B905
        counts += [dict(zip(("entity_id", "n_documents"), row)) for row in found[1]]  # noqa: B905
    relations = [relation for _, found in units for relation in found]
    return aggregate.reduce_entities(surfaces, counts), *aggregate.reduce_facts(relations)


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
    ],
)
def test_label_is_the_commonest_form(forms, expected):
    """The commonest surface form is the label; of equally common ones the smallest by code points."""
    rows = [{"entity_id": "x", "type": "Org", "text": text, "n_mentions": 1, "confidence": 0.5} for text in forms]
    [entity] = aggregate.reduce_entities(rows, [{"entity_id": "x", "n_documents": 1}])
    assert entity.label == expected


@pytest.mark.parametrize(
    ("confidences", "expected"),
    [([0.5], 0.5), ([0.5, 0.5], 0.75), ([0.9, 0.8, 0.5], 0.99), ([1.0, 0.3], 1.0), ([0.0], 0.0)],
)
def test_confidence_is_noisy_or(confidences, expected):
    """Worked by hand."""
    facts, _ = aggregate.reduce_facts([works_for("d", 50 * i, c) for i, c in enumerate(confidences)])
    assert [fact.confidence for fact in facts] == [expected]


def test_plan_depends_on_units_and_not_on_their_order(store):
    """The result's fingerprint is that of the set of decoded parts."""
    tables = {"mentions": to_table("mentions", []), "relations": to_table("relations", [])}
    a, b, c = (store.commit("decode", f"02-000{n}", "cd" * 32, tables, {}) for n in range(3))
    assert aggregate.plan([a, b])[0] == aggregate.plan([b, a])[0]
    assert aggregate.plan([a, b])[0] != aggregate.plan([a, b, c])[0]
