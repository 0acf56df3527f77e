"""Decode: names and what these are to mentions and relations, on a real Beam runner."""

from itertools import combinations

import pyarrow as pa
import pytest

from kgmill.pipelines.stages import decode, names, resolve
from kgmill.schemas.identity import entity_id, fact_id, pair_id, statement_id
from kgmill.schemas.ontology import parse_ontology
from kgmill.schemas.records import Mention, Relation
from kgmill.schemas.tables import from_table

ADA, LONDON, BOB = "ada-byron-6998d6a848a45b69", "london-72fb52add76af9fe", "bob-fe69defd7d1d6db1"
ONTOLOGY = {
    "entities": {"Peop": {}, "Loc": {}},
    "relations": {"Live_In": {"head": ["Peop"], "tail": ["Loc"]}},
}
PEOP, LOC = 0, 1


def sentence(doc_id="d1", number=0, begin=0, end=26, key="134c64a7", date="1843-07-10"):
    return dict(zip(names.SENTENCES.names, (doc_id, number, begin, end, key, date, "Ada worked."), strict=True))


def mention(row, begin, end, text, column, confidence=0.9, rule="", key=None):
    """A mention of a sentence's row; its own text is its local name, and its type that of the column."""
    kind = "Date" if column == names.VALUE else ("Peop", "Loc")[column]
    key = ("" if column == names.VALUE else text.lower()) if key is None else key
    return dict(zip(names.MENTIONS.names, (row, begin, end, text, kind, confidence, key, rule, column), strict=True))


def claim(head, tail, confidence=0.9, stance="", name="Live_In", row=0):
    """A claim that the sentence of a row makes of the mentions of two rows."""
    return {"row": row, "head": head, "tail": tail, "type": name, "confidence": confidence, "stance": stance}


def became(key, column, entity=None, chosen=None, place=None, rule=""):
    """What became of a name: by default the entity of its own name, of its own type."""
    entity = entity_id(key) if entity is None else entity
    chosen = column if chosen is None else chosen
    place = entity if place is None else place
    return dict(zip(resolve.RESOLVED.names, (key, column, chosen, entity, place, rule), strict=True))


SENTENCES = [sentence(), sentence(number=1, begin=27, end=36, key="00c0ffee")]
MENTIONS = [
    mention(0, 0, 9, "Ada Byron", PEOP, 0.81),
    mention(0, 19, 25, "London", LOC, 0.6),
    mention(1, 27, 30, "Bob", PEOP, 0.75),
]
CLAIMS = [claim(0, 1, 0.9), claim(1, 0, 0.85)]
RESOLVED = [became("ada byron", PEOP), became("bob", PEOP), became("london", LOC)]


@pytest.fixture
def commit(store):
    """Commits the parts of a unit's names and of what these are, given as rows."""

    def commit(sentences=SENTENCES, mentions=MENTIONS, claims=CLAIMS, resolved=RESOLVED, letter="a"):
        tables = {
            "sentences": pa.Table.from_pylist(sentences, names.SENTENCES),
            "mentions": pa.Table.from_pylist(mentions, names.MENTIONS),
            "claims": pa.Table.from_pylist(claims, names.CLAIMS),
        }
        found = {"resolved": pa.Table.from_pylist(resolved, resolve.RESOLVED)}
        return (
            [store.commit("names", "00-0000", letter * 64, tables, {})],
            [store.commit("resolve", "00-0000", letter * 64, found, {})],
        )

    return commit


@pytest.fixture
def run_decode(run, store, commit):
    """Decodes a unit with an ontology; returns its part."""

    def run_decode(ontology=ONTOLOGY, **rows):
        settings = decode.Settings(ontology)
        _, tasks = decode.plan(store, *commit(**rows), settings)
        receipts = run(store, "decode", tasks, settings)
        return store.find("decode", "00-0000", receipts["00-0000"].fingerprint)

    return run_decode


def records(part, *tables):
    return [list(from_table(name, part.read(name))) for name in tables]


def test_names_become_mentions_and_relations(run_decode):
    """Of two directions the ontology's is the relation; it has its sentence's words and its document's date."""
    mentions, relations = records(run_decode(), "mentions", "relations")
    assert mentions == [
        Mention("d1", 0, 0, 9, "Ada Byron", "Peop", 0.81, ADA),
        Mention("d1", 0, 19, 25, "London", "Loc", 0.6, LONDON),
        Mention("d1", 1, 27, 30, "Bob", "Peop", 0.75, BOB),
    ]
    [found] = relations
    ends = 0, 9, ADA, 19, 25, LONDON
    ids = "4c1fed3dbd40ffe0", "049caf94cba23310"
    words = {"text_key": "134c64a7", "date": "1843-07-10", "sentence_text": "Ada worked."}
    assert found == Relation(*ids, "d1", 0, 0, 26, "Live_In", *ends, 0.9, **words)
    assert ids == (statement_id("d1", (0, 9), (19, 25), "Live_In"), fact_id(ADA, "Live_In", LONDON))


def test_sentence_names_its_pairs(run_decode):
    """What is named in one sentence is a pair of it, related or not; what is named in two is none."""
    assert run_decode().read("pairs").to_pylist() == [{"pair": pair_id(LONDON, ADA), "text_key": "134c64a7"}]


def test_pairs_of_a_sentence_are_those_of_its_entities(run_decode):
    """Three names of which two are one thing are one pair; equal sentences name it once."""
    mentions = [mention(row, *span) for row in (0, 1) for span in ((0, 3, "ADA", PEOP), *[m[1:] for m in THREE])]
    sentences = [sentence(), sentence("d2")]
    resolved = [*RESOLVED, became("ada", PEOP, ADA)]
    part = run_decode(sentences=sentences, mentions=mentions, claims=[], resolved=resolved)
    expected = sorted(pair_id(*pair) for pair in combinations((ADA, LONDON, BOB), 2))
    assert [row["pair"] for row in part.read("pairs").to_pylist()] == expected


THREE = [(0, 5, 14, "Ada Byron", PEOP), (0, 19, 25, "London", LOC), (0, 26, 29, "Bob", PEOP)]


def test_list_of_names_has_a_bound():
    """Of a sentence of a hundred names no more than 64 are paired with one another."""
    mentions = [mention(0, i, i + 1, f"n{i}", PEOP) for i in range(100)]
    resolved = [became(f"n{i}", PEOP) for i in range(100)]
    tables, _ = decoded(mentions=mentions, claims=[], resolved=resolved)
    assert tables["pairs"].num_rows == 64 * 63 // 2


def test_types_are_those_of_all_documents(run_decode):
    """A mention has the type that all documents have its name of, and the ontology asks for that."""
    resolved = [became("ada byron", PEOP, chosen=LOC), became("bob", PEOP), became("london", LOC, chosen=PEOP)]
    mentions, relations = records(run_decode(resolved=resolved), "mentions", "relations")
    assert [m.type for m in mentions] == ["Loc", "Peop", "Peop"]
    assert [(r.head_entity, r.tail_entity, r.confidence) for r in relations] == [(LONDON, ADA, 0.85)]


def test_ontology_decides_what_a_relation_joins(run_decode):
    """With head and tail turned round, the other direction of the pair is the relation."""
    turned = {"Live_In": {"head": ["Loc"], "tail": ["Peop"]}}
    [relations] = records(run_decode(ontology=ONTOLOGY | {"relations": turned}), "relations")
    assert [(r.head_entity, r.tail_entity, r.confidence) for r in relations] == [(LONDON, ADA, 0.85)]


def test_rule_is_the_documents_before_the_corpus(run_decode):
    """A mention says by which rule it names another thing: its document's, or else that of all documents."""
    mentions = [mention(0, 0, 3, "Ada", PEOP, rule="short", key="ada byron"), *MENTIONS]
    resolved = [became("ada byron", PEOP, "x-1", rule="person"), *RESOLVED[1:]]
    part = run_decode(mentions=mentions, claims=[], resolved=resolved)
    [found] = records(part, "mentions")
    assert [(m.text, m.entity_id, m.rule) for m in found] == [
        ("Ada", "x-1", "short"),
        ("Ada Byron", "x-1", "person"),
        ("London", LONDON, ""),
        ("Bob", BOB, ""),
    ]


def test_name_that_is_one_thing_in_each_document(run_decode):
    """Where no entity is told, each document has its own, which all its mentions and relations share."""
    sentences = [sentence(), sentence("d2"), sentence("d2", 1, 27, 50)]
    mentions = [m for row in range(3) for m in (mention(row, 0, 4, "Bush", PEOP), mention(row, 19, 25, "London", LOC))]
    claims = [claim(2 * row, 2 * row + 1, row=row) for row in range(3)]
    resolved = [became("bush", PEOP, "", rule="document"), became("london", LOC)]
    part = run_decode(sentences=sentences, mentions=mentions, claims=claims, resolved=resolved)
    found, relations = records(part, "mentions", "relations")
    one, two = (entity_id("bush", doc_id=doc_id) for doc_id in ("d1", "d2"))
    assert [(m.doc_id, m.entity_id, m.rule) for m in found if m.text == "Bush"] == [
        ("d1", one, "document"),
        ("d2", two, "document"),
        ("d2", two, "document"),
    ]
    assert ([r.head_entity for r in relations], len({r.fact_id for r in relations})) == ([one, two, two], 2)


def test_fact_of_a_countrys_people_is_the_countrys(run_decode):
    """A mention of a country's people names them; what is said there is said of the country, by entity and pair."""
    britons, britain = entity_id("british"), entity_id("britain")
    mentions = [MENTIONS[0], mention(0, 19, 26, "British", LOC)]
    resolved = [RESOLVED[0], became("british", LOC, place=britain)]
    part = run_decode(mentions=mentions, resolved=resolved)
    found, [relation] = records(part, "mentions", "relations")
    assert found[1].entity_id == britons
    assert (relation.tail_entity, relation.fact_id) == (britain, fact_id(ADA, "Live_In", britain))
    assert part.read("pairs")["pair"].to_pylist() == [pair_id(ADA, britain)]


def test_people_and_their_country_are_one_end(run_decode):
    """What a sentence says of a country and its people is said of one thing: that is no fact, and no pair."""
    ontology = ONTOLOGY | {"relations": {"Live_In": {"head": ["Loc"], "tail": ["Loc"]}}}
    britain = entity_id("britain")
    mentions = [mention(0, 0, 7, "Britain", LOC), mention(0, 19, 26, "British", LOC)]
    resolved = [became("britain", LOC), became("british", LOC, place=britain)]
    part = run_decode(ontology, mentions=mentions, resolved=resolved)
    assert (part.rows("relations"), part.rows("pairs"), part.counts["left_out"]) == (0, 0, {"relations.self": 1})


DATES = {
    "entities": {"Peop": {}, "Loc": {}, "Date": {"literal": "date"}},
    "relations": {"Born_On": {"head": ["Peop"], "tail": ["Date"]}},
}


def test_value_is_no_entity(run_decode):
    """A mention of a literal type names nothing; a relation to it has its value, which is an end of its pair too."""
    mentions = [MENTIONS[0], mention(0, 19, 26, "May 1815", names.VALUE)]
    part = run_decode(DATES, mentions=mentions, claims=[claim(0, 1, name="Born_On")])
    found, [relation] = records(part, "mentions", "relations")
    month = "1815-05", "http://www.w3.org/2001/XMLSchema#gYearMonth"
    assert [(m.type, m.entity_id) for m in found] == [("Peop", ADA), ("Date", "")]
    assert (relation.tail_entity, relation.value, relation.datatype) == ("", *month)
    assert relation.fact_id == fact_id(ADA, "Born_On", *month)
    assert part.read("pairs")["pair"].to_pylist() == [relation.fact_id[:8]]


def decoded(ontology=ONTOLOGY, sentences=SENTENCES, mentions=MENTIONS, claims=CLAIMS, resolved=RESOLVED):
    """What the function that the job calls makes of a unit."""
    return decode.decode(
        parse_ontology(ontology, "test"),
        pa.Table.from_pylist(sentences, names.SENTENCES),
        pa.Table.from_pylist(mentions, names.MENTIONS),
        pa.Table.from_pylist(claims, names.CLAIMS),
        pa.Table.from_pylist(resolved, resolve.RESOLVED),
    )


@pytest.mark.parametrize("stance", ["", "negated", "hedged", "opposed", "reported"])
def test_relation_has_the_stance_of_its_claim(stance):
    """Both claims of a pair are stated alike; the one that the ontology allows keeps that."""
    tables, _ = decoded(claims=[claim(0, 1, 0.9, stance), claim(1, 0, 0.95, stance)])
    assert tables["relations"]["stance"].to_pylist() == [stance]


def test_symmetric_relation_has_one_direction_in_all_sentences():
    """Its head is the entity that comes first by id, wherever the mentions stand; so it is one fact."""
    ontology = ONTOLOGY | {"relations": {"Kin": {"head": ["Peop"], "tail": ["Peop"], "symmetric": True}}}
    mentions = [mention(0, 0, 9, "Ada Byron", PEOP), mention(0, 19, 22, "Bob", PEOP)]
    mentions += [mention(1, 27, 30, "Bob", PEOP), mention(1, 30, 36, "Ada Byron", PEOP)]
    claims = [
        claim(0, 1, 0.5, "negated", "Kin"),
        claim(1, 0, 0.6, "negated", "Kin"),
        claim(2, 3, 0.7, "", "Kin", row=1),
    ]
    tables, _ = decoded(ontology, mentions=mentions, claims=claims)
    found = [
        (r.head_entity, r.head_begin, r.tail_begin, r.confidence, r.stance)
        for r in from_table("relations", tables["relations"])
    ]
    assert found == [(ADA, 0, 19, 0.6, "negated"), (ADA, 30, 27, 0.7, "")]
    assert len(set(tables["relations"]["fact_id"].to_pylist())) == 1


INVERSES = ONTOLOGY | {
    "relations": {
        "Live_In": {"head": ["Peop"], "tail": ["Loc"]},
        "Home_Of": {"head": ["Loc"], "tail": ["Peop"], "inverse": "Live_In"},
    }
}


def test_of_two_inverse_relations_the_first_is_told():
    """What a sentence says the other way round is the same fact, with both mentions where they stand."""
    sentences = [sentence(), sentence(number=1, begin=27, end=50, key="00c0ffee")]
    mentions = [*MENTIONS[:2], mention(1, 27, 36, "Ada Byron", PEOP), mention(1, 40, 46, "London", LOC)]
    claims = [claim(0, 1, 0.9), claim(3, 2, 0.8, "hedged", "Home_Of", row=1)]
    tables, _ = decoded(INVERSES, sentences=sentences, mentions=mentions, claims=claims)
    found = list(from_table("relations", tables["relations"]))
    assert [(r.type, r.head_entity, r.head_begin, r.tail_entity, r.tail_begin, r.stance) for r in found] == [
        ("Live_In", ADA, 0, LONDON, 19, ""),
        ("Live_In", ADA, 27, LONDON, 40, "hedged"),
    ]
    assert {r.fact_id for r in found} == {fact_id(ADA, "Live_In", LONDON)}
    assert [r.statement_id for r in found] == [
        statement_id("d1", (0, 9), (19, 25), "Live_In"),
        statement_id("d1", (27, 36), (40, 46), "Live_In"),
    ]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [((0.7, ""), (0.9, ""), (0.9, "")), ((0.7, ""), (0.9, "negated"), (0.7, "")), ((0.7, ""), (0.2, ""), (0.7, ""))],
)
def test_both_directions_of_one_pair_are_one_relation(one, other, expected):
    """What a sentence says in both words is told once: the one that is stated, then the surer."""
    claims = [claim(0, 1, *one), claim(1, 0, *other, "Home_Of")]
    for given in (claims, claims[::-1]):
        tables, _ = decoded(INVERSES, claims=given)
        [found] = from_table("relations", tables["relations"])
        assert (found.type, found.head_entity, found.confidence, found.stance) == ("Live_In", ADA, *expected)


def test_inverse_is_part_of_the_fingerprint(store, commit):
    """A relation that has an inverse now is decoded again; other words of an ontology decode nothing."""
    keys = []
    for ontology in (INVERSES, ONTOLOGY | {"relations": {**INVERSES["relations"], "Home_Of": {**HOME, "label": "x"}}}):
        rules = parse_ontology(ontology, "test").rules()
        keys.append(decode.plan(store, *commit(), decode.Settings(rules))[1][0].fingerprint)
    named = parse_ontology(INVERSES | {"name": "named"}, "test").rules()
    assert decode.plan(store, *commit(), decode.Settings(named))[1][0].fingerprint == keys[0] != keys[1]


HOME = {"head": ["Loc"], "tail": ["Peop"]}


def test_nothing_is_related_to_itself():
    """Two mentions of one thing are no fact, whatever they are called, and are counted; two of unlike things are."""
    types = ONTOLOGY | {"relations": {"Live_In": {"head": ["Peop"], "tail": ["Peop"]}}}
    mentions = [mention(0, 0, 9, "Ada Byron", PEOP), mention(0, 19, 28, "The Countess", PEOP)]

    found = []
    for entity in (ADA, "countess-1"):
        resolved = [became("ada byron", PEOP), became("the countess", PEOP, entity)]
        tables, left_out = decoded(types, mentions=mentions, claims=[claim(0, 1)], resolved=resolved)
        found.append((tables["mentions"].num_rows, tables["relations"].num_rows, left_out))

    assert found == [(2, 0, {"relations.self": 1}), (2, 1, {})]


def test_claims_meet_the_mentions_of_their_own_sentence():
    """Relations lie in the order of sentences, each with the place of its own, though all rows are the unit's."""
    mentions = [*MENTIONS, mention(1, 31, 36, "London", LOC)]
    tables, _ = decoded(mentions=mentions, claims=[*CLAIMS, claim(2, 3, 0.7, row=1), claim(3, 2, 0.95, row=1)])
    found = [
        (r.sentence, r.sentence_begin, r.head_begin, r.tail_begin) for r in from_table("relations", tables["relations"])
    ]
    assert found == [(0, 0, 0, 19), (1, 27, 27, 31)]


def test_claims_are_no_more_than_the_ontology_has():
    """Without a relation that joins what is claimed there are mentions alone, and their pairs."""
    tables, left_out = decoded(ONTOLOGY | {"relations": {"Live_In": {"head": ["Loc"], "tail": ["Loc"]}}})
    assert (tables["mentions"].num_rows, tables["relations"].num_rows, left_out) == (3, 0, {})
    assert tables["pairs"].num_rows == 1


def test_unit_without_mentions_has_empty_tables(run_decode):
    """A unit in which nothing was found has a part, of tables without rows."""
    part = run_decode(sentences=[], mentions=[], claims=[], resolved=[])
    assert [part.rows(name) for name in ("mentions", "relations", "pairs")] == [0, 0, 0]


def test_finished_unit_is_not_planned_again(store, commit, run_decode):
    """Equal inputs find the part; other names, another meaning of them, or another ontology plan the unit."""
    run_decode()
    same, settings = commit(), decode.Settings(ONTOLOGY)
    named, resolved = commit(letter="b")
    turned = decode.Settings(ONTOLOGY | {"overlapping_entities": True})
    planned = [
        decode.plan(store, same[0], same[1], settings),
        decode.plan(store, named, same[1], settings),
        decode.plan(store, same[0], resolved, settings),
        decode.plan(store, same[0], same[1], turned),
    ]
    assert [(len(done), len(tasks)) for done, tasks in planned] == [(1, 0), (0, 1), (0, 1), (0, 1)]


# Passages: row 2 is the run of both sentences

RUN = sentence(end=36, key="0000aaaa")
ACROSS = {"sentences": [*SENTENCES, RUN], "mentions": [*MENTIONS, mention(1, 31, 36, "London", LOC)]}


def test_relation_of_two_sentences_has_the_place_of_both():
    """It lies from the beginning of the first to the end of the second, and its ends are a pair of that text."""
    tables, left_out = decoded(**ACROSS, claims=[claim(0, 3, 0.7, row=2)])
    [found] = from_table("relations", tables["relations"])
    assert (found.sentence, found.sentence_begin, found.sentence_end, found.text_key) == (0, 0, 36, "0000aaaa")
    assert (found.head_begin, found.tail_begin, found.confidence) == (0, 31, 0.7)
    assert {"pair": pair_id(ADA, LONDON), "text_key": "0000aaaa"} in tables["pairs"].to_pylist()
    assert left_out == {}


@pytest.mark.parametrize(("stance", "expected"), [("", [26]), ("negated", [26, 36])])
def test_what_a_sentence_says_by_itself_is_not_said_by_two(stance, expected):
    """A fact of one sentence is told once a document, and counted; one that is denied there is no reason."""
    tables, left_out = decoded(**ACROSS, claims=[claim(0, 1, 0.6, stance), claim(0, 3, 0.7, row=2)])
    assert tables["relations"]["sentence_end"].to_pylist() == expected
    assert left_out == ({} if stance else {"relations.within": 1})
    assert ("0000aaaa" in tables["pairs"]["text_key"].to_pylist()) == bool(stance)
