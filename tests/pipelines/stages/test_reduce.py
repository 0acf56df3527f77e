"""What mentions and relations come to: entities with their labels, facts with their evidence; no runner is needed."""

from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_mentions import WORKS, mention, named_together, relation, works_for

from kgmill.pipelines.facts import FactConfidence
from kgmill.pipelines.stages import aggregate, combine
from kgmill.pipelines.stages.decode import PAIRS
from kgmill.schemas.tables import from_table, to_table


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


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        ([("America", "")] * 5 + [("U.S.", "country")] * 9 + [("the United States", "country")], "the United States"),
        ([("America", "")] * 2 + [("the States", "country")], "America"),
        ([("Burma", "country")] * 2 + [("Myanmar", "")], "Burma"),
        ([("Chad", "")] + [("Chad Smith", "")] * 2, "Chad Smith"),
        ([("American", "")] * 2 + [("Americans", "people")], "American"),
    ],
)
def test_country_is_called_by_its_usual_name(forms, expected):
    """However common another one is; of two usual ones by the commoner; where no text has it, as anything else."""
    assert label_of(forms) == (expected, len(forms))


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
    judge = FactConfidence((1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0), -2.0)
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
