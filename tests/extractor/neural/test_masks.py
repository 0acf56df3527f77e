"""What is unknown of a partly annotated sentence: no instance, no loss, no gradient."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair
from kgmill.extractor.data.partial import Partial
from kgmill.extractor.neural.encoding import Window
from kgmill.extractor.training.loss import joint_loss, type_loss
from kgmill.extractor.training.sampling import Known, all_spans, count_pairs, sample
from kgmill.extractor.training.train import TrainingRun, read_data
from kgmill.schemas.ontology import parse_ontology

TYPES = {
    "entities": {"Peop": {}, "Loc": {}},
    "relations": {
        "Live_In": {"head": ["Peop"], "tail": ["Loc"]},
        "Sibling": {"head": ["Peop"], "tail": ["Peop"], "symmetric": True},
        "Kill": {"head": ["Peop"], "tail": ["Peop"]},
    },
}
ONTOLOGY = parse_ontology(TYPES, "test")
ENTITIES = (EntitySpan(0, 2, "Peop"), EntitySpan(3, 4, "Peop"), EntitySpan(5, 6, "Loc"))
ALL_PAIRS = {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)}


def sentence(*relations, partial=None, entities=ENTITIES):
    """A sentence of eight words with these relations."""
    return AnnotatedSentence(tuple("abcdefgh"), entities, relations, partial=partial)


def sampled(*sentences, ontology=ONTOLOGY, width=3):
    """The instances of sentences, all negatives among them."""
    pieces = list(range(10))
    windows = [Window(i, 0, 8, pieces, pieces[1:-1], pieces[2:], [0] * 10) for i in range(len(sentences))]
    return sample(windows, sentences, ontology, width, (1000, 1000), np.random.default_rng(0))


def negatives(instances):
    """The negative spans, and the negative pairs by number of entity."""
    spans, pairs = instances.spans, instances.pairs
    rows = zip(spans.start_S.tolist(), spans.end_S.tolist(), instances.span_type_S.tolist(), strict=True)
    ends = zip(pairs.head_P.tolist(), pairs.tail_P.tolist(), instances.pair_type_P.tolist(), strict=True)
    return {(a, b) for a, b, column in rows if column < 0}, {(h, t) for h, t, column in ends if column < 0}


def test_a_complete_sentence_has_no_masks():
    """Where everything is known nothing says what is known."""
    found = sampled(sentence(RelationPair(0, 1, "Kill")))

    assert (found.span_known, found.pair_known) == (None, None)


def test_all_types_named_are_all_types():
    """A sentence that names every type and relation as complete has the negatives of one that names none."""
    named = Partial(("Loc", "Peop"), ("Kill", "Live_In", "Sibling"))

    assert negatives(sampled(sentence(partial=named))) == negatives(sampled(sentence()))


def test_spans_that_may_be_mentions_are_no_instances():
    """Where a type is not complete, only spans over a marked entity are known to be none."""
    spans, _ = negatives(sampled(sentence(partial=Partial(types=("Peop",)))))

    gold = {(e.start, e.end) for e in ENTITIES}
    over = {(a, b) for a, b in map(tuple, all_spans(8, 3).tolist()) if any(a < d and c < b for c, d in gold)}
    assert spans == over - gold


def test_spans_over_entities_are_unknown_where_entities_overlap():
    """In an ontology of overlapping entities they may be mentions too."""
    spans, _ = negatives(
        sampled(
            sentence(partial=Partial(types=("Peop",))),
            ontology=parse_ontology(TYPES | {"overlapping_entities": True}, "test"),
        )
    )

    assert spans == set()


def test_pairs_that_may_be_related_are_no_instances():
    """Where a relation is not complete, pairs that the ontology allows it are unknown; the others are negatives."""
    _, pairs = negatives(sampled(sentence(partial=Partial(relations=("Live_In",)))))

    assert pairs == ALL_PAIRS - {(0, 1), (1, 0)}


def test_an_entity_of_several_types_may_be_in_the_relations_of_each():
    """A pair is known to be unrelated if the relations of none of its possible types are open."""
    entities = (*ENTITIES[:2], EntitySpan(5, 6, "Loc", ("Loc", "Peop")))

    _, pairs = negatives(sampled(sentence(partial=Partial(relations=("Live_In",)), entities=entities)))

    assert pairs == set()


def test_doubtful_spans_and_pairs_are_no_instances():
    """What is doubtful is neither gold nor negative, and everything else is as it was."""
    partial = Partial(spans=((6, 8),), pairs=((0, 2),))

    spans, pairs = negatives(sampled(sentence(partial=partial)))

    whole = negatives(sampled(sentence()))
    assert (whole[0] - spans, whole[1] - pairs) == ({(6, 8)}, {(0, 2)})


def test_relations_alone():
    """A set of which relations alone are learnt has its related pairs in phase two, and nothing else."""
    found = sampled(sentence(RelationPair(0, 1, "Kill"), partial=Partial(tasks=("relations",))))

    assert len(found.span_type_S) == 0
    assert found.pair_type_P.tolist() == [2]
    assert (found.pair_known.phase_one_N.tolist(), found.pair_known.phase_two_N.tolist()) == ([False], [True])


def test_spans_without_types():
    """A set of which types are not learnt has its mentions in phase one alone."""
    found = sampled(sentence(partial=Partial(tasks=("spans",))))

    assert found.span_known.phase_one_N.all()
    assert not found.span_known.phase_two_N.any()
    assert len(found.pair_type_P) == 0


def test_possible_types_are_marked():
    """The types that an entity may have are marked at its row, whatever stands before it in the batch."""
    entities = (ENTITIES[0], EntitySpan(3, 4, "Loc", ("Loc", "Peop")))

    found = sampled(sentence(partial=Partial(tasks=("pairs",))), sentence(entities=entities))

    assert found.span_known.among_NC[:2].tolist() == [[True, False], [True, True]]
    assert not found.span_known.among_NC[2:].any()


def test_share_of_related_pairs():
    """Pairs that phase one sees are counted, related and not."""
    one = sentence(RelationPair(0, 1, "Kill"), partial=Partial(relations=("Live_In",)))

    assert count_pairs(one, ONTOLOGY, 3, 100) == (1, 4)
    assert count_pairs(one, ONTOLOGY, 3, 2) == (1, 2)
    assert count_pairs(replace(one, partial=Partial(tasks=("relations",))), ONTOLOGY, 3, 100) == (0, 0)


def test_type_among_several():
    """The loss of an entity that has one of several types is that of their summed probability."""
    logits = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    among = torch.tensor([[True, True, False], [True, False, False]])

    loss = type_loss(logits, torch.tensor([0, 0]), among_NC=among)

    assert loss.item() == pytest.approx((math.log(3 / 2) + math.log1p(2 / math.e)) / 2)


def outputs(instances, seed=0):
    """Random logits of both phases, of spans and of pairs."""
    torch.manual_seed(seed)
    sizes = (len(instances.span_type_S), 2), (len(instances.pair_type_P), 3)
    return [[torch.randn(n, 2, requires_grad=True), torch.randn(n, c, requires_grad=True)] for n, c in sizes]


SWITCHES = [{}, {"is_softmax": True, "is_over_all": True}, {"two_phase": False}]


@pytest.mark.parametrize("switches", SWITCHES)
def test_masks_of_what_is_known_change_nothing(switches):
    """Where masks leave everything in, the loss is the one without masks."""
    found = sampled(sentence(RelationPair(0, 1, "Kill")), sentence(partial=Partial(spans=((99, 100),))))
    plain = replace(found, span_known=None, pair_known=None)

    first, again = (joint_loss(one, *outputs(one), **switches).item() for one in (found, plain))

    assert first == pytest.approx(again, rel=1e-6)


@pytest.mark.parametrize("switches", SWITCHES)
def test_what_is_masked_has_no_gradient(switches):
    """Whatever type stands at masked instances, loss and gradients are the same, and theirs are exactly zero."""
    found = sampled(
        sentence(RelationPair(0, 1, "Kill"), RelationPair(0, 2, "Live_In")), sentence(RelationPair(0, 2, "Live_In"))
    )
    masks = []
    for column in (found.span_type_S, found.pair_type_P):
        is_known = torch.arange(len(column)) % 3 > 0
        among = torch.zeros(len(column), 3 if column is found.pair_type_P else 2, dtype=torch.bool)
        among[column >= 0, column[column >= 0]] = True
        masks.append((is_known, among))
    results = []
    for other in (-1, 0, 1):
        columns = [
            torch.where(is_known, column, other)
            for column, (is_known, _) in zip((found.span_type_S, found.pair_type_P), masks, strict=True)
        ]
        known = [found_known(is_known, among, column) for (is_known, among), column in zip(masks, columns, strict=True)]
        instances = replace(
            found, span_type_S=columns[0], pair_type_P=columns[1], span_known=known[0], pair_known=known[1]
        )
        logits = outputs(instances)
        loss = joint_loss(instances, *logits, **switches)
        loss.backward()
        results.append((loss.item(), [tensor.grad for pair in logits for tensor in pair]))

    assert len({loss for loss, _ in results}) == 1
    for _, gradients in results:
        assert all(torch.equal(a, b) for a, b in zip(gradients, results[0][1], strict=True))
        for gradient, (is_known, _) in zip(gradients, [m for m in masks for _ in (0, 1)], strict=True):
            assert torch.count_nonzero(gradient[~is_known]) == 0
            assert torch.count_nonzero(gradient[is_known]) > 0


def found_known(is_known, among, column):
    """Both phases know the same instances."""
    return Known(is_known, is_known & (column >= 0), among)


def gradients_beside(training, other):
    """The loss and the gradients of a step of four sentences, the last of which is another, that teaches nothing."""
    torch.manual_seed(0)
    run = TrainingRun(training(dropout=0.0, max_grad_norm=1e9), *read_data(training()), torch.device("cpu"))
    run.sentences[3] = other(run.sentences[3])
    loss = run.step(run.windows[:4], np.random.default_rng(0))
    return loss, {name: p.grad for name, p in run.state.model.named_parameters() if p.grad is not None}


def test_a_masked_sentence_moves_no_weight(training):
    """Whatever is marked in a sentence of which nothing is learnt, loss and every gradient are the same in each bit."""
    nothing = Partial(tasks=())

    loss, gradients = gradients_beside(training, lambda s: replace(s, partial=nothing))
    bare = gradients_beside(training, lambda s: replace(s, partial=nothing, entities=(), relations=()))

    assert loss == bare[0]
    assert gradients.keys() == bare[1].keys()
    assert all(torch.equal(gradients[name], bare[1][name]) for name in gradients)
    assert any(torch.count_nonzero(gradient) for gradient in gradients.values())


def test_nothing_known_moves_nothing(training):
    """A step of sentences of which nothing is learnt has no gradient at all."""
    run = TrainingRun(training(), *read_data(training()), torch.device("cpu"))
    run.sentences[:] = [replace(s, partial=Partial(tasks=())) for s in run.sentences]

    loss = run.step(run.windows[:4], np.random.default_rng(0))

    assert loss == 0
    assert not any(torch.count_nonzero(p.grad) for p in run.state.model.parameters() if p.grad is not None)
