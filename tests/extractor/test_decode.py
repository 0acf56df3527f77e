"""Scored candidates to mentions and relations."""

import numpy as np
import pytest

from kgmill.extractor.calibration import Calibration
from kgmill.extractor.candidates import Scored, empty
from kgmill.extractor.decode import DecodedMention, DecodedRelation, choose_relations, decode, decode_claims
from kgmill.schemas.ontology import parse_ontology

TYPES = {
    "entities": {"Peop": {}, "Loc": {}},
    "relations": {
        "Live_In": {"head": ["Peop"], "tail": ["Loc"]},
        "Kill": {"head": ["Peop"], "tail": ["Peop"]},
        "Sibling": {"head": ["Peop"], "tail": ["Peop"], "symmetric": True},
    },
}
ONTOLOGY = parse_ontology(TYPES, "test")
PEOP, LOC = (1.0, 0.0), (0.0, 1.0)
LIVE_IN, KILL, SIBLING = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def candidates(spans, pairs=()):
    """Candidates of (start, end, P(entity), types) and (head, tail, P(relation), relations)."""
    return Scored(
        np.array([s[:2] for s in spans], np.int32).reshape(-1, 2),
        np.array([s[2] * np.array(s[3]) for s in spans], np.float64).reshape(-1, 2),
        np.array([p[:2] for p in pairs], np.int32).reshape(-1, 2),
        np.array([p[2] * np.array(p[3]) for p in pairs], np.float64).reshape(-1, 3),
    )


TWO_PEOPLE = [(0, 1, 1.0, PEOP), (2, 3, 1.0, PEOP)]


def relations(pairs, spans=TWO_PEOPLE, min_confidence=0.5):
    """The relations decoded from pairs between two people."""
    return decode(candidates(spans, pairs), ONTOLOGY, min_confidence)[1]


def test_confidence_is_that_of_the_likeliest_type():
    """A mention's confidence is the greatest of its types'."""
    mentions, _ = decode(candidates([(0, 2, 0.75, (0.25, 0.75))]), ONTOLOGY, 0.5)

    assert mentions == [DecodedMention(0, 2, "Loc", 0.5625)]


def test_threshold_of_mentions():
    """A mention at the threshold stays, one below it goes."""
    found = candidates([(0, 1, 0.5, PEOP), (2, 3, 0.49, PEOP)])

    mentions, _ = decode(found, ONTOLOGY, 0.5)

    assert [(m.start, m.end) for m in mentions] == [(0, 1)]


def test_thresholds_of_types():
    """A type's own threshold takes the place of the common one, for mentions and for relations."""
    found = candidates(
        [(0, 1, 0.75, PEOP), (2, 3, 0.75, PEOP), (4, 5, 0.75, LOC)],
        [(0, 1, 0.5, KILL), (0, 2, 0.5, LIVE_IN)],
    )

    mentions, related = decode(found, ONTOLOGY, 0.6, {"Loc": 0.8, "Kill": 0.4})

    assert [m.type for m in mentions] == ["Peop", "Peop"]
    assert related == [DecodedRelation(0, 1, "Kill", 0.5)]


def test_threshold_of_a_relation_that_shares_its_name():
    """An entity type and a relation type of one name have thresholds of their own."""
    ontology = parse_ontology(
        {"entities": {"Award": {}, "Loc": {}}, "relations": {"Award": {"head": ["Award"], "tail": ["Loc"]}}}, "test"
    )
    found = Scored(
        np.array([(0, 1), (2, 3)], np.int32),
        0.75 * np.array([PEOP, LOC], np.float32),
        np.array([(0, 1)], np.int32),
        np.full((1, 1), 0.5, np.float32),
    )

    kept, lost = (decode(found, ontology, 0.4, {"Award": 0.7, "Award_relation": least}) for least in (0.5, 0.6))

    assert [m.type for m in kept[0]] == [m.type for m in lost[0]] == ["Award", "Loc"]
    assert (kept[1], lost[1]) == ([DecodedRelation(0, 1, "Award", 0.5)], [])


def test_surer_of_two_that_overlap():
    """Of mentions that overlap the surest stays, and makes room for those that don't touch it."""
    found = candidates([(0, 2, 0.75, PEOP), (1, 4, 0.875, LOC), (3, 5, 0.8125, PEOP), (4, 5, 0.625, LOC)])

    mentions, _ = decode(found, ONTOLOGY, 0.5)

    assert [(m.start, m.end) for m in mentions] == [(1, 4), (4, 5)]


def test_overlap_where_the_ontology_allows_it():
    """With overlapping entities all mentions above the threshold stay, in the order of the text."""
    ontology = parse_ontology(TYPES | {"overlapping_entities": True}, "test")
    found = candidates([(0, 2, 0.75, PEOP), (0, 4, 0.5, PEOP), (1, 4, 0.875, LOC)])

    mentions, _ = decode(found, ontology, 0.5)

    assert [(m.start, m.end) for m in mentions] == [(0, 2), (0, 4), (1, 4)]


def test_equally_sure_mentions():
    """Of equally sure mentions that overlap the first and shortest stays."""
    found = candidates([(1, 3, 0.75, PEOP), (1, 2, 0.75, PEOP), (2, 4, 0.75, PEOP)])

    mentions, _ = decode(found, ONTOLOGY, 0.5)

    assert [(m.start, m.end) for m in mentions] == [(1, 2), (2, 4)]


def test_relation_confidence():
    """A relation's confidence is P(relation) times P(type | relation)."""
    assert relations([(0, 1, 0.75, (0.0, 0.75, 0.25))]) == [DecodedRelation(0, 1, "Kill", 0.5625)]


def test_relation_threshold():
    """A relation at the threshold stays, one below it goes."""
    assert relations([(0, 1, 0.5, KILL)]) == [DecodedRelation(0, 1, "Kill", 0.5)]
    assert relations([(0, 1, 0.49, KILL)]) == []


def test_ontology_mask():
    """A relation that the ontology does not allow between two types is dropped, however sure."""
    spans = [(0, 1, 1.0, PEOP), (2, 3, 1.0, LOC)]

    assert relations([(0, 1, 1.0, LIVE_IN)], spans) == [DecodedRelation(0, 1, "Live_In", 1.0)]
    assert relations([(1, 0, 1.0, LIVE_IN)], spans) == []
    assert relations([(0, 1, 1.0, KILL)], spans) == []


def test_allowed_type_behind_a_likelier_one():
    """Of a pair's types one that is allowed and sure enough is taken, though another is likelier."""
    spans = [(0, 1, 1.0, PEOP), (2, 3, 1.0, LOC)]

    found = relations([(0, 1, 1.0, (0.25, 0.75, 0.0))], spans, min_confidence=0.25)

    assert found == [DecodedRelation(0, 1, "Live_In", 0.25)]


def test_surer_direction():
    """Of a pair and its reverse with one type the surer stays."""
    found = relations([(0, 1, 0.75, KILL), (1, 0, 0.875, KILL)])

    assert found == [DecodedRelation(1, 0, "Kill", 0.875)]


def test_equally_sure_directions():
    """Of two directions that are equally sure the one whose head comes first stays."""
    found = relations([(0, 1, 0.75, KILL), (1, 0, 0.75, KILL)])

    assert found == [DecodedRelation(0, 1, "Kill", 0.75)]


def test_two_directions_of_two_types():
    """A pair and its reverse may hold different types."""
    found = relations([(0, 1, 0.75, KILL), (1, 0, 0.875, SIBLING)])

    assert found == [DecodedRelation(0, 1, "Kill", 0.75), DecodedRelation(0, 1, "Sibling", 0.875)]


def test_symmetric_relation_has_its_head_first():
    """A symmetric relation has one direction, from the first mention, with the surer confidence."""
    found = relations([(0, 1, 0.75, SIBLING), (1, 0, 0.875, SIBLING)])

    assert found == [DecodedRelation(0, 1, "Sibling", 0.875)]


def test_relation_of_a_dropped_mention():
    """A relation goes with its mention, and the others index the mentions that stay."""
    spans = [(0, 1, 0.25, PEOP), (2, 3, 1.0, PEOP), (4, 5, 1.0, PEOP)]

    found = relations([(0, 1, 1.0, KILL), (1, 2, 1.0, KILL)], spans)

    assert found == [DecodedRelation(0, 1, "Kill", 1.0)]


@pytest.mark.parametrize("pairs", [[], [(0, 1, 0.0, KILL)]])
def test_no_threshold(pairs):
    """With a threshold of 0 every allowed type of every pair is a relation, each between two mentions."""
    found = relations(pairs, min_confidence=0.0)

    expected = [DecodedRelation(0, 1, "Kill", 0.0), DecodedRelation(0, 1, "Sibling", 0.0)]
    assert found == expected[: 2 * len(pairs)]


def test_no_candidates():
    """No candidates give no mentions and no relations."""
    assert decode(Calibration().apply(empty(2, 3)), ONTOLOGY, 0.5) == ([], [])


def test_ontology_without_relations():
    """An ontology of entities alone gives mentions alone."""
    ontology = parse_ontology({"entities": {"Peop": {}, "Loc": {}}}, "test")

    mentions, found = decode(candidates(TWO_PEOPLE), ontology, 0.5)

    assert (len(mentions), found) == (2, [])


def test_claims_ask_for_no_types():
    """Each sure pair of mentions claims each of its sure types, in both directions, whatever the ends are."""
    spans = [(0, 1, 1.0, PEOP), (2, 3, 0.25, PEOP), (4, 5, 1.0, LOC)]
    pairs = [(2, 0, 1.0, LIVE_IN), (0, 2, 1.0, (0.5, 0.5, 0.0)), (0, 1, 1.0, KILL), (2, 0, 0.4, KILL)]

    mentions, claims, _ = decode_claims(candidates(spans, pairs), ONTOLOGY, 0.5)

    assert len(mentions) == 2
    assert claims == [
        DecodedRelation(1, 0, "Live_In", 1.0),
        DecodedRelation(0, 1, "Live_In", 0.5),
        DecodedRelation(0, 1, "Kill", 0.5),
    ]


def test_votes_are_the_probabilities_of_types():
    """The log probabilities of each mention's types, given that it is a name, in the order of mentions."""
    found = candidates([(4, 6, 0.5, (0.25, 0.75)), (0, 2, 0.75, (0.75, 0.25)), (8, 9, 0.1, PEOP)])

    mentions, _, votes_NE = decode_claims(found, ONTOLOGY, 0.3)

    assert [m.start for m in mentions] == [0, 4]
    assert np.exp(votes_NE).tolist() == [pytest.approx([0.75, 0.25]), pytest.approx([0.25, 0.75])]


def test_votes_of_a_type_that_cannot_be():
    """A type with no probability has a vote without end, and no warning; no mentions have no votes."""
    _, _, votes_NE = decode_claims(candidates([(0, 1, 1.0, PEOP)]), ONTOLOGY, 0.5)
    assert votes_NE.tolist() == [[0.0, -np.inf]]
    assert decode_claims(Calibration().apply(empty(2, 3)), ONTOLOGY, 0.5)[2].shape == (0, 2)


ONLY_PEOPLE = parse_ontology(
    {"entities": {"Peop": {}}, "relations": {"Kill": {"head": ["Peop"], "tail": ["Peop"]}}}, "test"
)


def test_types_that_an_ontology_leaves_out_are_masked():
    """A span most likely of such a type is no mention, not of its next type either, and nothing within it is one."""
    spans = [(0, 1, 1.0, PEOP), (2, 5, 1.0, (0.2, 0.8)), (2, 3, 0.7, PEOP), (6, 7, 1.0, (0.75, 0.25))]
    pairs = [(0, 3, 1.0, LIVE_IN), (0, 3, 0.9, KILL), (0, 1, 1.0, KILL)]
    found = candidates(spans, pairs)

    mentions, claims, votes_NE = decode_claims(found, ONLY_PEOPLE, 0.5, columns=ONTOLOGY.columns)

    assert [(m.start, m.end, m.type) for m in mentions] == [(0, 1, "Peop"), (6, 7, "Peop")]
    assert claims == [DecodedRelation(0, 1, "Kill", 0.9)]
    assert votes_NE.tolist() == [[0.0], [0.0]]  # of one type there is nothing to vote on
    everything, *_ = decode_claims(found, ONTOLOGY, 0.5)
    assert {(m.start, m.end) for m in mentions} < {(m.start, m.end) for m in everything}


def test_ontology_may_have_another_order():
    """Columns are found by their names, also where thresholds of types are their own."""
    spans = [(0, 1, 0.9, PEOP), (2, 3, 0.9, LOC)]
    turned = parse_ontology({**ONTOLOGY.rules(), "entities": {"Loc": {}, "Peop": {}}}, "test")

    mentions, _, votes_NE = decode_claims(candidates(spans), turned, 0.5, {"Loc": 0.95}, ONTOLOGY.columns)

    assert [(m.start, m.type) for m in mentions] == [(0, "Peop")]
    assert votes_NE.tolist() == [[-np.inf, 0.0]]


def test_choice_by_other_types():
    """What relations are is decided by the types that mentions are given, not by those they were found with."""
    claims = [
        DecodedRelation(1, 0, "Live_In", 1.0),
        DecodedRelation(0, 1, "Live_In", 0.5),
        DecodedRelation(0, 1, "Kill", 0.5),
    ]

    assert choose_relations(claims, ["Peop", "Loc"], ONTOLOGY) == [DecodedRelation(0, 1, "Live_In", 0.5)]
    assert choose_relations(claims, ["Loc", "Peop"], ONTOLOGY) == [DecodedRelation(1, 0, "Live_In", 1.0)]
    assert choose_relations(claims, ["Peop", "Peop"], ONTOLOGY) == [DecodedRelation(0, 1, "Kill", 0.5)]
    assert choose_relations(claims, ["Loc", "Loc"], ONTOLOGY) == []


def test_choice_between_directions_is_among_those_allowed():
    """A surer direction that the ontology doesn't allow leaves the other one."""
    spans = [(0, 1, 1.0, PEOP), (2, 3, 1.0, LOC)]

    assert relations([(0, 1, 0.5, LIVE_IN), (1, 0, 0.9, LIVE_IN)], spans) == [DecodedRelation(0, 1, "Live_In", 0.5)]
