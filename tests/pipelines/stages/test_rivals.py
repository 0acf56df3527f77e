"""Rivals: the facts of one thing, wherever they lie, are settled together, on a real Beam runner."""

import pyarrow as pa
import pytest
from sample_mentions import commit_units, mention, relation

from kgmill.pipelines.stages import aggregate, combine, rivals
from kgmill.schemas.identity import fact_id
from kgmill.schemas.records import Fact
from kgmill.schemas.tables import from_table

BOB = mention("d", 0, "Bob", "Peop")


def lives(place, confidence, doc_id="d1", head=BOB, **others):
    """A relation that says where somebody lives."""
    return relation(doc_id, head, mention(doc_id, 20, place, "Loc"), confidence, "Live_In", **others)


@pytest.fixture
def facts_of(run, store):
    """Combines, settles and aggregates units of relations; returns the facts by the slug of their tail's id."""

    def facts_of(units, n_bits=0, functional=(("Live_In", "head"),), **judged):
        decoded = commit_units(store, {unit: ([], rows) for unit, rows in units.items()})
        done, tasks = combine.plan(store, decoded, n_bits)
        groups = run(store, "combine", tasks, combine.Settings(n_bits))
        combined = [*done, *(store.need("combine", unit, receipt.fingerprint) for unit, receipt in groups.items())]
        settings = aggregate.Settings(tuple((p.unit, p.fingerprint) for p in combined), **judged)
        tasks = [rivals.Task(f"read-{number:02x}", number) for number in range(1 << n_bits)]
        made = run(store, "rivals", tasks, rivals.Settings(settings, functional, n_bits))
        settled = [store.need("rivals", unit, receipt.fingerprint) for unit, receipt in made.items()]
        assert len(settled) == 1 << n_bits
        _, tasks = aggregate.plan(store, combined, n_bits, settings, settled)
        made = run(store, "aggregate", tasks, settings)
        parts = [store.need("aggregate", unit, receipt.fingerprint) for unit, receipt in made.items()]
        counted = sum(part.counts["left_out"].get("facts.overruled", 0) for part in parts)
        found = [fact for part in parts for fact in from_table("facts", part.read("facts"))]
        assert counted == sum(bool(fact.overruled_by) for fact in found)
        return sorted(found, key=lambda fact: (fact.head, fact.tail))

    return facts_of


def said(facts):
    """What is said of facts: where, how sure, the share, whether it is asserted, and what overruled it, as a place."""
    place = {fact.fact_id: fact.tail.split("-")[0] for fact in facts}
    return [
        (place[f.fact_id], f.confidence, f.conflict_share, f.asserted, place.get(f.overruled_by, f.overruled_by))
        for f in facts
    ]


UNITS = {
    "01-0000": [lives("Paris", 0.9), lives("London", 0.85, "d2"), lives("Rome", 0.5, "d3")],
    "01-0001": [lives("London", 0.85, "d4"), lives("Oslo", 0.9, head=mention("d", 0, "Ada", "Peop"))],
}


@pytest.mark.parametrize("n_bits", [0, 1, 4])
def test_strongest_of_one_head_stands(facts_of, n_bits):
    """Of all units' facts of one head one is asserted, the others say by which they are overruled; others' stay."""
    assert said(facts_of(UNITS, n_bits)) == [
        ("oslo", 0.9, 1.0, True, ""),
        ("london", 0.85, 0.377778, False, "paris"),
        ("paris", 0.9, 0.4, True, ""),
        ("rome", 0.5, 0.222222, False, "paris"),
    ]


def test_without_functional_relations_nothing_is_settled(facts_of):
    """All are asserted that are sure enough, and none has a share."""
    found = facts_of(UNITS, functional=())
    assert [row[2:] for row in said(found)] == [(1.0, True, "")] * 3 + [(1.0, False, "")]


def test_other_relations_are_no_rivals(facts_of):
    """Another relation of the same head contradicts none of this one."""
    works = relation("d1", BOB, mention("d1", 20, "Acme"), 0.95)
    found = facts_of({"00-0000": [works, lives("Paris", 0.9)]})
    assert [fact.asserted for fact in found] == [True, True]


def test_what_nobody_states_contradicts_nothing(facts_of):
    """A denied fact is no rival, however sure: it is not asserted, and neither overrules nor is overruled."""
    found = facts_of({"00-0000": [lives("Paris", 0.95, stance="negated"), lives("Rome", 0.85)]})
    assert said(found) == [("paris", 0.95, 1.0, False, ""), ("rome", 0.85, 1.0, True, "")]


def test_decisions_win_over_shares(facts_of):
    """A rejected fact overrules none; a confirmed one stands, though the texts say another thing more."""
    paris, rome = (fact_id(BOB.entity_id, "Live_In", lives(name, 0).tail_entity) for name in ("Paris", "Rome"))
    assert said(facts_of(UNITS, rejected=(paris,)))[1:] == [
        ("london", 0.85, 0.62963, True, ""),
        ("rome", 0.5, 0.37037, False, "london"),
    ]
    assert [row[3:] for row in said(facts_of(UNITS, confirmed=(rome,)))[1:]] == [
        (False, "rome"),
        (False, "rome"),
        (True, ""),
    ]


def test_one_head_of_a_tail(facts_of):
    """Where the other end may have one alone, the heads of one tail are rivals."""
    ada = mention("d", 0, "Ada", "Peop")
    found = facts_of(
        {"00-0000": [lives("Paris", 0.9), lives("Paris", 0.85, "d2", ada)]}, functional=(("Live_In", "tail"),)
    )
    assert [(f.head.split("-")[0], f.asserted) for f in found] == [("ada", False), ("bob", True)]


def test_values_of_one_head(facts_of):
    """Values contradict one another as what they say does: the year stays beside its day."""
    year = "http://www.w3.org/2001/XMLSchema#gYear", "http://www.w3.org/2001/XMLSchema#date"
    rows = []
    for n, (value, datatype, confidence) in enumerate(
        [("1879", year[0], 0.9), ("1879-03-14", year[1], 0.85), ("1880", year[0], 0.8)]
    ):
        row = lives("x", confidence, f"d{n}")
        ids = {"fact_id": fact_id(BOB.entity_id, "Live_In", value, datatype), "tail_entity": ""}
        rows.append(type(row)(**{**as_dict(row), **ids, "value": value, "datatype": datatype}))
    found = {fact.value: (fact.asserted, bool(fact.overruled_by)) for fact in facts_of({"00-0000": rows})}
    assert found == {"1879": (True, False), "1879-03-14": (True, False), "1880": (False, True)}


def as_dict(row):
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def test_partition_keeps_its_part_until_a_rival_comes(store):
    """A partition's part hangs on what became of its facts, which a fact of another partition may change."""
    assert aggregate.RIVALS.names == ["fact_id", "conflict_share", "overruled_by"]
    table = pa.Table.from_pylist([{"fact_id": "ab", "conflict_share": 0.4, "overruled_by": "cd"}], aggregate.RIVALS)
    empty, full = (
        store.commit("rivals", "00-0000", letter * 64, {"rivals": rows}, {})
        for letter, rows in zip("ab", (table[:0], table), strict=True)
    )
    settings = aggregate.Settings(())
    keys = [aggregate.plan(store, [], 0, settings, parts)[1][0].fingerprint for parts in ([], [empty], [full])]
    assert keys[0] == keys[1] != keys[2]


def test_fact_of_no_conflict_has_the_defaults():
    """Tables of older versions have no such columns: their facts are in no conflict."""
    fact = Fact("f", "a", "r", "b", 0.5, 1, 1)
    assert (fact.conflict_share, fact.overruled_by) == (1.0, "")
