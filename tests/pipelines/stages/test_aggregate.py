"""Aggregate: groups, partitions and what an edit redoes, on a real Beam runner."""

import json

import pytest
from sample_mentions import ACME, ADA, WORKS, commit_units, mention, named_together, relation, works_for

from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages import aggregate, combine
from kgmill.pipelines.storage.files import remove
from kgmill.schemas.identity import bucket, entity_id, fact_bucket, statement_id
from kgmill.schemas.records import Entity, Evidence, Fact, Mention, Name, Relation
from kgmill.schemas.tables import from_table
from kgmill.schemas.units import Unit

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
        [works_for("d2", 0, 0.8), works_for("d2", 140, 0.9)],
    ),
}


@pytest.fixture
def aggregate_parts(run, store):
    """Combines and aggregates units; returns the partitions' parts, and which groups and partitions were made."""

    def aggregate_parts(units, n_bits=0, **judged):
        done, tasks = combine.plan(store, commit_units(store, units), n_bits)
        groups = run(store, "combine", tasks, combine.Settings(n_bits))
        made = [store.find("combine", unit, receipt.fingerprint) for unit, receipt in groups.items()]
        combined = sorted([*done, *made], key=lambda part: part.unit)
        settings = aggregate.Settings(tuple((part.unit, part.fingerprint) for part in combined), **judged)
        done, tasks = aggregate.plan(store, combined, n_bits, settings)
        partitions = run(store, "aggregate", tasks, settings)
        made = [store.find("aggregate", unit, receipt.fingerprint) for unit, receipt in partitions.items()]
        parts = sorted([*done, *made], key=lambda part: part.unit)
        return parts, sorted(groups), sorted(partitions)

    return aggregate_parts


@pytest.fixture
def run_aggregate(aggregate_parts):
    """Aggregates units of mentions and relations; returns the tables' records in the order of the partitions."""

    def run_aggregate(units, n_bits=0, **judged):
        parts, _, _ = aggregate_parts(units, n_bits, **judged)
        assert [part.unit for part in parts] == [str(Unit(n_bits, number)) for number in range(1 << n_bits)]
        for part in parts:
            columns = (("entities", "entity_id"), ("names", "entity_id"), ("facts", "fact_id"), ("evidence", "fact_id"))
            ids = [value for table, column in columns for value in part.read(table)[column].to_pylist()]
            pairs = part.read("facts")["fact_id"].to_pylist()
            cut = [name[:8] if name in pairs else name for name in ids]
            assert {str(Unit.of(name, n_bits)) for name in cut} <= {part.unit}
        return records(parts)

    return run_aggregate


def records(parts):
    return {name: [row for part in parts for row in from_table(name, part.read(name))] for name in TABLES}


TABLES = ("entities", "names", "facts", "evidence")


def test_mentions_become_entities(run_aggregate):
    """An entity has all mentions that name it; what is in capitals alone is its label only for want of another."""
    assert run_aggregate(UNITS)["entities"] == [
        Entity(ACME, "Org", "Acme", 5, 3, 0.95),
        Entity(ADA, "Peop", "Ada Byron", 2, 2, 0.9),
    ]


def test_entities_have_their_names(run_aggregate):
    """Each form and rule has a row, the commonest first; those that are short for others, or in capitals, last."""
    unit = [
        mention("d1", 0, "Ada Byron", "Peop"),
        *(mention("d1", 20 * n, "Byron", "Peop", rule="short", entity=ADA) for n in range(1, 4)),
        *(mention("d2", 20 * n, "Ada King", "Peop", rule="decision", entity=ADA) for n in range(2)),
        mention("d2", 60, "The Ada Byron", "Peop", rule="form", entity=ADA),
        mention("d2", 80, "A. A. BYRON", "Peop", rule="person", entity=ADA),
        mention("d2", 99, "Bob", "Peop"),
    ]
    found = run_aggregate({"00-0000": (unit, [])})
    assert [name for name in found["names"] if name.entity_id == ADA] == [
        Name(ADA, "Ada King", "decision", 2),
        Name(ADA, "Ada Byron", "", 1),
        Name(ADA, "The Ada Byron", "form", 1),
        Name(ADA, "Byron", "short", 3),
        Name(ADA, "A. A. BYRON", "person", 1),
    ]
    assert {(e.label, e.n_mentions) for e in found["entities"]} == {("Ada King", 8), ("Bob", 1)}
    assert list(dict.fromkeys(name.entity_id for name in found["names"])) == [e.entity_id for e in found["entities"]]


def test_relations_become_facts(run_aggregate):
    """Confidence is the mean of the evidence's: (0.5 + 0.8 + 0.9) / 3."""
    [fact] = run_aggregate(UNITS)["facts"]
    assert fact == Fact(WORKS, ADA, "Work_For", ACME, 0.733333, 3, 2, asserted=False)


@pytest.mark.parametrize(("wanted", "is_asserted"), [(0.8, False), (0.734, False), (0.7333, True), (0.0, True)])
def test_fact_is_asserted_where_it_is_sure_enough(run_aggregate, wanted, is_asserted):
    """Where nothing was fitted, the confidence that is wanted is the precision that is."""
    [fact] = run_aggregate(UNITS, wanted_precision=wanted)["facts"]
    assert (fact.asserted, fact.confidence) == (is_asserted, 0.733333)


def test_share_is_of_the_sentences_that_name_both_ends(run_aggregate):
    """Of five sentences two state the fact; a sentence that two units have is one, and other pairs are others'."""
    units = {
        "01-0000": ([], [works_for("d1", 0, 0.9, text_key="aa")], named_together("aa", "bb", "cc")),
        "01-0001": (
            [],
            [works_for("d2", 0, 0.7, text_key="dd")],
            [*named_together("bb", "dd", "ee"), *named_together("ff", "gg", other="x")],
        ),
    }
    for n_bits in (0, 3):
        [fact] = run_aggregate(units, n_bits)["facts"]
        assert (fact.share, fact.n_evidence, fact.confidence) == (0.4, 2, 0.8)


def test_fitted_confidence_decides(run_aggregate):
    """With a fit, share and number of sentences count: the same sentences are surer alone than among many others."""
    fit = {"weights": [1.0, 0.0, 1.0, 0.0, 0.0], "relations": {"Work_For": 0.5}, "thresholds": [[0.5, 0.2], [0.9, 0.6]]}
    relations = [works_for("d1", 0, 0.5, text_key="aa")]
    found = [
        run_aggregate({"00-0000": ([], relations, named_together(*keys))}, facts=fit)["facts"][0]
        for keys in (["aa"], ["aa", "bb", "cc", "dd"])
    ]
    assert [(f.confidence, f.share, f.asserted) for f in found] == [
        (0.622459, 1.0, True),  # 1 / (1 + exp(-0.5)), of which 0.5 is wanted
        (0.291875, 0.25, False),  # 1 / (1 + exp(-0.5 - log 0.25))
    ]


def test_judgement_redoes_all_partitions(store, aggregate_parts):
    """Another fit or another wanted precision makes each partition anew; combine keeps its groups."""
    aggregate_parts(UNITS, n_bits=2)
    assert aggregate_parts(UNITS, n_bits=2)[1:] == ([], [])
    for judged in ({"wanted_precision": 0.7}, {"facts": {"thresholds": [[0.8, 0.7]]}}):
        _, groups, partitions = aggregate_parts(UNITS, n_bits=2, **judged)
        assert (groups, len(partitions)) == ([], 4)


def test_each_relation_is_evidence(run_aggregate):
    """Evidence keeps document, offsets and confidence, by document and place."""
    found = run_aggregate(UNITS)["evidence"]
    assert found == [
        Evidence(WORKS, "ca9035e71cf38e8e", "d1", 0, 99, 0, 9, 20, 24, 0.5),
        Evidence(WORKS, "37947427c70432aa", "d2", 0, 99, 0, 9, 20, 24, 0.8),
        Evidence(
            WORKS, statement_id("d2", (140, 149), (160, 164), "Work_For"), "d2", 100, 199, 140, 149, 160, 164, 0.9
        ),
    ]


def many(n_names):
    """Two units of one document each: both name so many things, and what Ada has to do with each."""
    names = [f"Name {n}" for n in range(n_names)]
    return {
        f"01-000{u}": (
            [mention(doc_id, 10 * n, name) for n, name in enumerate(names)],
            [relation(doc_id, mention(doc_id, 0, "Ada"), mention(doc_id, 9, name), 0.5) for name in names],
        )
        for u, doc_id in enumerate(["d3", "d4"])
    }


@pytest.mark.parametrize("n_bits", [1, 3])
def test_partitions_change_only_the_cutting(run_aggregate, n_bits):
    """However many partitions there are, their tables behind one another are those of one partition."""
    whole = run_aggregate(many(40))
    assert run_aggregate(many(40), n_bits) == whole
    assert [len(whole[name]) for name in TABLES] == [40, 40, 40, 80]


def test_partition_without_rows_is_a_part(run_aggregate):
    """A corpus in which nothing was found has empty tables, not none."""
    assert run_aggregate({"00-0000": ([], [])}, n_bits=1) == {name: [] for name in TABLES}


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
    facts = {row.fact_id[:8] for row in rows if isinstance(row, Relation)}
    ids = facts | {row.entity_id for row in rows if isinstance(row, Mention)} - {entity_id("Everyone")}
    assert partitions == sorted({str(Unit.of(name, 4)) for name in ids})
    assert [part for part in after if part.unit not in partitions] == [
        part for part in before if part.unit not in partitions
    ]


def test_partition_reads_its_own_slices_alone(run, store, aggregate_parts):
    """A partition is reduced although every other one's slices were overwritten: it never holds more than its own."""
    whole, _, _ = aggregate_parts(units_of({f"d{n}": n for n in range(12)}), n_bits=4)
    combined = [
        store.need("combine", manifest["unit"], manifest["fingerprint"])
        for manifest in (json.loads(path.read_text()) for path in sorted(store.tmp.parent.glob("parts/combine/*/man*")))
    ]
    settings = aggregate.Settings(tuple((part.unit, part.fingerprint) for part in combined))
    _, tasks = aggregate.plan(Store(store.storage.root / "nowhere"), combined, 4, settings)
    for part in combined:
        path = store.storage.root / part.file("slices")
        begin, n_bytes, *_ = part.counts["slices"].get(f"{tasks[5].number:02x}", (0, 0))
        data = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(data[begin : begin + n_bytes].rjust(begin + n_bytes, b"!").ljust(len(data), b"!"))
        assert path.read_bytes() != data
    remove(store.storage.root / "parts" / "aggregate")
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
    """A partition holds about 100,000 mentions, until there are 256 of them, or as many as there are buckets."""
    part = Part("decode", "00-0000", "", "", {}, {"mentions.parquet": {"rows": n_mentions}}, None)
    assert combine.partition_bits([part]) == n_bits
    assert combine.partition_bits([part], bucket_bits=16) == (n_bits if n_mentions < 10**9 else 14)


def test_buckets_decide_the_order_and_nothing_else(run_aggregate):
    """With more buckets the same rows are in the order of more bits, however many partitions there are."""
    units = many(150)
    rows, finer = run_aggregate(units), run_aggregate(units, bucket_bits=14)
    assert finer["facts"] != rows["facts"]
    assert finer["entities"] != rows["entities"]
    for name in TABLES:
        assert sorted(map(str, finer[name])) == sorted(map(str, rows[name]))
    for bits, found in ((8, rows), (14, finer)):
        facts = [(fact_bucket(fact.fact_id, bits), fact.fact_id) for fact in found["facts"]]
        entities = [(bucket(entity.entity_id, bits), entity.entity_id) for entity in found["entities"]]
        assert (facts, entities) == (sorted(facts), sorted(entities))
    assert run_aggregate(units, 9, bucket_bits=14) == finer


def test_rejected_fact_is_left_out(aggregate_parts):
    """What people say is wrong is no fact and has no evidence; its ends stay, and it is counted."""
    parts, _, _ = aggregate_parts(UNITS, rejected=(WORKS,))
    found = records(parts)
    assert (found["facts"], found["evidence"], len(found["entities"])) == ([], [], 2)
    assert sum(part.counts["left_out"].get("facts.rejected", 0) for part in parts) == 1


def test_plan_depends_on_units_and_not_on_their_order(store):
    """A group's fingerprint is that of the set of its decoded parts."""
    parts = commit_units(store, {str(Unit(2, n)): ([], []) for n in range(4)})
    [task] = combine.plan(store, parts, 0)[1]
    assert combine.plan(store, parts[::-1], 0)[1] == [task]
    assert combine.plan(store, parts[:3], 0)[1][0].fingerprint != task.fingerprint
