"""Aggregate: mentions and relations to entities, names, facts and evidence, on a real Beam runner."""

import json
from dataclasses import asdict, replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.pipelines.facts import FactConfidence
from kgmill.pipelines.output.parts import Part, Store
from kgmill.pipelines.stages import aggregate, combine
from kgmill.pipelines.stages.decode import PAIRS
from kgmill.pipelines.storage.files import remove
from kgmill.schemas.identity import entity_id, fact_id, fingerprint, pair_id, statement_id
from kgmill.schemas.records import Entity, Evidence, Fact, Mention, Name, Relation
from kgmill.schemas.tables import from_table, to_table
from kgmill.schemas.units import Unit

ADA, ACME = "ada-byron-6998d6a848a45b69", "acme-c02333fa6860a777"
WORKS = "76d0c9a8d31fdbdd"


def mention(doc_id, begin, text, type_name="Org", confidence=0.9, rule="", entity=None):
    entity = entity or entity_id(text)
    return Mention(doc_id, 0, begin, begin + len(text), text, type_name, confidence, entity, rule)


def relation(doc_id, head, tail, confidence, name="Work_For", **others):
    """A relation of two mentions, in a sentence of a hundred characters."""
    ends = (head.begin, head.end), (tail.begin, tail.end)
    number = head.begin // 100
    return Relation(
        statement_id(doc_id, *ends, name),
        fact_id(head.entity_id, name, tail.entity_id),
        *(doc_id, number, 100 * number, 100 * number + 99, name),
        *(*ends[0], head.entity_id, *ends[1], tail.entity_id),
        confidence,
        **others,
    )


def works_for(doc_id, begin, confidence, **others):
    """Ada Byron at an offset works for Acme twenty characters on."""
    ada, acme = mention(doc_id, begin, "Ada Byron", "Peop"), mention(doc_id, begin + 20, "Acme")
    return relation(doc_id, ada, acme, confidence, **others)


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


def named_together(*text_keys, one=ADA, other=ACME):
    """Rows of pairs: sentences that name two things."""
    return [{"pair": pair_id(one, other), "text_key": key} for key in text_keys]


def commit_units(store, units):
    """Decode's parts of the units: mentions, relations, and pairs if there are any.

    Equal content has an equal fingerprint, as decode's has.
    """
    return [
        store.commit(
            "decode",
            unit,
            fingerprint([[asdict(row) for row in rows] for rows in (m, r)] + pairs),
            {
                "mentions": to_table("mentions", m),
                "relations": to_table("relations", r),
                "pairs": pa.Table.from_pylist([row for rows in pairs for row in rows], PAIRS),
            },
            {},
        )
        for unit, (m, r, *pairs) in units.items()
    ]


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
    """A partition is reduced although every other partition's slices are gone: it never holds more than its own."""
    whole, _, _ = aggregate_parts(units_of({f"d{n}": n for n in range(12)}), n_bits=4)
    combined = [
        store.need("combine", manifest["unit"], manifest["fingerprint"])
        for manifest in (json.loads(path.read_text()) for path in sorted(store.tmp.parent.glob("parts/combine/*/man*")))
    ]
    settings = aggregate.Settings(tuple((part.unit, part.fingerprint) for part in combined))
    _, tasks = aggregate.plan(Store(store.storage.root / "nowhere"), combined, 4, settings)
    for path in store.storage.root.glob("parts/combine/*/*.parquet"):
        if not path.stem.endswith(f"-{tasks[5].number:02x}"):
            path.unlink()
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
    """A partition holds about 100,000 mentions, until there are 256 of them."""
    part = Part("decode", "00-0000", "", "", {}, {"mentions.parquet": {"rows": n_mentions}}, None)
    assert combine.partition_bits([part]) == n_bits


# Functions


def aggregated(units):
    """Entities, facts and evidence of units, by the functions that the jobs call."""
    found = [combine.combine_mentions(to_table("mentions", mentions)) for mentions, _ in units]
    entities, surfaces = (pa.concat_tables(tables) for tables in zip(*found, strict=True))
    relations = [relation for _, rows in units for relation in rows]
    return *aggregate.reduce_entities(entities, surfaces), *facts_of(relations)


def facts_of(relations, pairs=(), judge=None, least=0.8, **others):
    """Facts and evidence of relations and pairs, by the function that the job calls."""
    tables = to_table("relations", relations), pa.Table.from_pylist(list(pairs), PAIRS)
    return aggregate.reduce_facts(*tables, judge or FactConfidence(), least, **others)


def the_fact(relations, pairs=(), **others):
    """The only fact of relations and pairs."""
    [fact] = from_table("facts", facts_of(relations, pairs, **others)[0])
    return fact


@given(data=st.data(), order=st.permutations(range(12)))
def test_order_changes_nothing(data, order):
    """Rows in any order, and documents in any units, make the same tables to the last bit."""
    documents = [
        (
            [
                mention(f"d{n}", 0, "Ada Byron", "Peop", 0.1 + n / 17),
                mention(f"d{n}", 20, ("Acme", "ACME", "acme")[n % 3]),
            ],
            [
                works_for(f"d{n}", 0, 0.3 + n / 23, text_key=f"key{n % 5}", date=f"200{n % 3}"),
                works_for(f"d{n}", 50, 0.9 - n / 31, stance=("", "hedged")[n % 2]),
            ],
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
        (["Acme", "ACME", "acme"], "Acme"),
        (["ACME", "ACME", "acme"], "acme"),
        (["ACME", "ACME", "AC ME"], "ACME"),
        (["Acme", "ACME", "acme", "acme"], "acme"),
        (["Żarz", "zarz", "Zarz", "😀", "￮"], "Zarz"),
    ],
)
def test_label_is_the_commonest_form(forms, expected):
    """The commonest surface form is the label; of equally common ones the smallest by code points; capitals last."""
    assert label_of([(text, "") for text in forms]) == (expected, len(forms))


def label_of(forms):
    """The label and the mentions of an entity that is named so, as (form, rule)."""
    rows = [{"entity_id": "x", "name": name, "rule": rule, "n_mentions": 1} for name, rule in forms]
    entity = {"entity_id": "x", "type": "Org", "n_documents": 1, "confidence": 0.5}
    table, _ = aggregate.reduce_entities(pa.Table.from_pylist([entity]), pa.Table.from_pylist(rows))
    [found] = from_table("entities", table)
    return found.label, found.n_mentions


@pytest.mark.parametrize("rule", ["short", "surname", "acronym", "alias", "document"])
def test_short_names_are_no_labels(rule):
    """However common, a name that is short for another is no label; it is where there is no other."""
    assert label_of([("Byron", rule)] * 5 + [("Ada Byron", "")]) == ("Ada Byron", 6)
    assert label_of([("Byron", rule)] * 5 + [("ADA", rule)]) == ("Byron", 6)


@pytest.mark.parametrize("rule", ["title", "form", "country", "person", "spelling", "bracket", "decision"])
def test_full_names_may_be_labels(rule):
    """A name that another rule joined is as good as any."""
    assert label_of([("Augusta Ada King", rule)] * 2 + [("Ada Byron", "")]) == ("Augusta Ada King", 3)


def test_a_form_counts_with_all_its_rules():
    """Mentions of one form are counted together, by whatever rule they are the entity's: one is enough for a label."""
    assert label_of([("Byron", "short"), ("Byron", "short"), ("Byron", ""), ("Ada Byron", "")]) == ("Byron", 4)


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
    assert the_fact([works_for("d", 100 * i, c) for i, c in enumerate(confidences)]).confidence == expected


def test_nothing_unread_is_certain():
    """Sentences may be as sure as they like: without a person's word no fact is surer than 0.98."""
    assert the_fact([works_for("d", 0, 1.0)]).confidence == 0.98


def test_copies_of_a_sentence_are_one_witness():
    """Sentences of the same words count once, with the surest of them; each stays as evidence, and documents count."""
    relations = [works_for(f"d{n}", 0, c, text_key=key) for n, (c, key) in enumerate(COPIES)]
    pairs = named_together("aa", "bb", "cc", "cc")
    fact = the_fact(relations, pairs)
    assert (fact.n_evidence, fact.n_documents, fact.confidence, fact.share) == (2, 4, 0.75, round(2 / 3, 6))
    assert facts_of(relations, pairs)[1].num_rows == 4
    assert the_fact([r for r in relations if r.doc_id != "d0"], pairs).confidence == 0.75


COPIES = [(0.5, "aa"), (0.9, "aa"), (0.7, "aa"), (0.6, "bb")]


def test_a_sentence_is_one_piece_of_evidence():
    """Of several places in a sentence that state a fact the surest is its evidence."""
    relations = [works_for("d", begin, c) for begin, c in ((0, 0.6), (10, 0.9), (40, 0.7), (100, 0.5))]
    facts, evidence = facts_of(relations)
    assert [(e["head_begin"], e["confidence"]) for e in evidence.to_pylist()] == [(10, 0.9), (100, 0.5)]
    assert facts["confidence"].to_pylist() == [0.7]


@pytest.mark.parametrize("stance", ["negated", "hedged", "opposed", "reported"])
def test_what_is_not_stated_is_not_asserted(stance):
    """A fact that no sentence states is kept, with its evidence and how this puts it, and never asserted."""
    relations = [works_for("d", 100 * n, 0.95, stance=stance) for n in range(3)]
    facts, evidence = facts_of(relations, least=0.0)
    [fact] = from_table("facts", facts)
    assert (fact.asserted, fact.confidence, fact.n_evidence) == (False, 0.95, 3)
    assert evidence["stance"].to_pylist() == [stance] * 3


def test_fit_knows_whether_a_fact_is_stated():
    """A fit may hold a fact that is only denied or supposed for less sure than one that is stated as surely."""
    judge = FactConfidence((1.0, 0.0, 0.0, 0.0, 2.0), -2.0)
    found = [the_fact([works_for("d", 0, 0.5, stance=stance)], judge=judge).confidence for stance in ("", "hedged")]
    assert found == [0.5, 0.119203]  # 1 / (1 + exp(2))


def test_stated_sentences_alone_say_how_sure_a_fact_is():
    """Where a fact is stated, what supposes or denies it is evidence, but no support."""
    relations = [works_for("d", 0, 0.9), works_for("d", 100, 0.5, stance="hedged"), works_for("e", 0, 0.99)]
    relations[2] = replace(relations[2], stance="negated")
    facts, evidence = facts_of(relations)
    [fact] = from_table("facts", facts)
    assert (fact.confidence, fact.n_evidence, fact.asserted) == (0.9, 1, True)
    assert evidence["stance"].to_pylist() == ["", "hedged", "negated"]


def test_sentence_that_states_and_supposes():
    """In one sentence the place that states the fact goes before a surer one that doesn't."""
    relations = [works_for("d", 0, 0.95, stance="hedged"), works_for("d", 40, 0.85)]
    for given_ in (relations, relations[::-1]):
        facts, evidence = facts_of(given_)
        assert [(e["head_begin"], e["stance"]) for e in evidence.to_pylist()] == [(40, "")]
        assert (facts["confidence"].to_pylist(), facts["asserted"].to_pylist()) == ([0.85], [True])


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["", ""], ("", "")),
        (["2004-05-03", ""], ("2004-05-03", "2004-05-03")),
        (["2004-05-03", "1999", "2004-05-02"], ("1999", "2004-05-03")),
    ],
)
def test_fact_has_the_dates_of_its_documents(dates, expected):
    """The earliest and the latest date of the documents that have one."""
    fact = the_fact([works_for(f"d{n}", 0, 0.9, date=date) for n, date in enumerate(dates)])
    assert (fact.first, fact.last) == expected


def test_confirmed_fact_is_certain():
    """What people have confirmed is asserted, however unsure its sentences are, and though they deny it."""
    relations = [works_for("d", 0, 0.2, stance="negated")]
    other = relation("d", mention("d", 0, "Bob", "Peop"), mention("d", 20, "Acme"), 0.2)
    facts, _ = facts_of([*relations, other], confirmed=frozenset([WORKS]))
    found = {fact.fact_id: (fact.confidence, fact.asserted) for fact in from_table("facts", facts)}
    assert found == {WORKS: (1.0, True), other.fact_id: (0.2, False)}


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
