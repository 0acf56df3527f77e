"""The forward: pooling, gates, and what the two phases see."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kgmill.extractor.neural.config import TwoPhaseConfig
from kgmill.extractor.neural.encoding import Window, collate
from kgmill.extractor.neural.fusion import Fusion
from kgmill.extractor.neural.linears import Int8Linear, replace_linears
from kgmill.extractor.neural.pooling import all_spans_max, pooling_table, range_max
from kgmill.extractor.neural.spans import Pairs, Spans
from kgmill.extractor.neural.two_phase import TwoPhaseModel
from kgmill.extractor.training.sampling import all_spans

ENCODER = {
    "model_type": "bert",
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}


def new_model(**options):
    """A random model in evaluation mode, with weights large enough to matter."""
    torch.manual_seed(0)
    config = TwoPhaseConfig(
        encoder=ENCODER, entity_types=["A", "B"], relation_types=["R", "Q", "S"], max_span_width=4, **options
    )
    model = TwoPhaseModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def window(*lengths, shape=5, seed=0):
    """A window of words of so many pieces, drawn at random."""
    ends = np.cumsum([1, *lengths])
    pieces = np.random.default_rng(seed).integers(5, 50, int(ends[-1]) + 1).tolist()
    shapes = [0, *[shape] * (len(pieces) - 2), 0]
    return Window(0, 0, len(lengths), pieces, ends[:-1].tolist(), ends[1:].tolist(), shapes)


def spans(*bounds, row=0):
    """Spans of one row."""
    start, end = torch.tensor(bounds, dtype=torch.int64).T
    return Spans(torch.full_like(start, row), start, end)


def pairs(heads, tails, types=(0, 1), row=0):
    """Pairs of one row, all of these entity types."""
    n = len(heads)
    type_N = torch.tensor(types).repeat_interleave(n)
    return Pairs(spans(*heads, *tails, row=row), type_N, torch.arange(n), torch.arange(n, 2 * n))


def score_pairs(model, encoded, found):
    """The logits of both phases."""
    return model.score_pairs(encoded, model.map_ends(encoded, found.entities), found)


def slow_range_max(x_BWD, row, start, end):
    """The maximum over words, by a loop."""
    best = x_BWD[row, start]
    for word in range(start + 1, end):
        best = torch.maximum(best, x_BWD[row, word])
    return best


@given(st.integers(1, 3), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_fast_pooling_equals_a_slow_loop(n_rows, n_words, seed):
    """Ranges of any length have the maximum that a loop finds; empty ones, at any place, disturb no other."""
    rng = np.random.default_rng(seed)
    x_BWD = torch.from_numpy(rng.normal(size=(n_rows, n_words, 3)))
    rows = rng.integers(0, n_rows, 30)
    starts = rng.integers(0, n_words + 1, 30)
    ends = np.array([rng.integers(start, n_words + 1) for start in starts])

    fast = range_max(pooling_table(x_BWD, n_words), n_words, *map(torch.from_numpy, (rows, starts, ends)))

    filled = [i for i in range(30) if starts[i] < ends[i]]
    assert all(torch.equal(fast[i], slow_range_max(x_BWD, rows[i], starts[i], ends[i])) for i in filled)


@given(st.integers(1, 12), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_fast_pooling_up_to_a_width(max_length, n_words, seed):
    """A table for ranges of up to a width serves all of them."""
    x_BWD = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, n_words, 2)))
    bounds = [(1, a, b) for a in range(n_words) for b in range(a + 1, min(a + max_length, n_words) + 1)]
    row, start, end = torch.tensor(bounds).T

    fast = range_max(pooling_table(x_BWD, max_length), n_words, row, start, end)

    assert torch.equal(fast, torch.stack([slow_range_max(x_BWD, *b) for b in bounds]))


@given(st.integers(1, 3), st.integers(1, 20), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_pooling_of_the_whole_grid(n_rows, n_words, max_width, seed):
    """All spans at once have the maxima that each has alone."""
    x_BWD = torch.from_numpy(np.random.default_rng(seed).normal(size=(n_rows, n_words, 2)))

    grid = all_spans_max(pooling_table(x_BWD, max_width), n_words, max_width).view(n_rows, n_words, max_width, 2)

    for row in range(n_rows):
        for start, end in all_spans(n_words, max_width).tolist():
            assert torch.equal(grid[row, start, end - start - 1], slow_range_max(x_BWD, row, start, end))


def test_grid_scores_as_single_spans():
    """The whole grid of spans has the logits of its spans scored one by one."""
    model = new_model()
    with torch.no_grad():
        encoded = model.encode(collate([window(1, 2, 1), window(1, 1, 3, 1, 2, 1, seed=1)], 0))
    row, start, width = torch.cartesian_prod(torch.arange(2), torch.arange(6), torch.arange(1, 5)).T
    is_inside = start + width <= 6

    inside = Spans(row[is_inside], start[is_inside], (start + width)[is_inside])
    with torch.no_grad():
        single = model.score_spans(encoded, inside)

        grid = model.score_spans(encoded, Spans(row, start, (start + width).clamp(max=6)), is_grid=True)

    assert all(torch.allclose(a[is_inside], b, rtol=0, atol=1e-5) for a, b in zip(grid, single, strict=True))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"role_maps": False},
        {"fusion": "concat"},
        {"fusion": "concat", "role_maps": False, "link_types": True},
        {"pair_distance": False, "pair_types": False},
        {"link_types": True, "word_shape": True},
        {"two_phase": False},
        {"pair_hidden": True},
        {"pair_hidden": True, "link_types": True},
        {"pair_hidden": True, "fusion": "concat"},
        {"pair_hidden": True, "role_maps": False, "two_phase": False},
        {"two_phase": False, "fusion": "concat", "pair_types": False},
    ],
)
def test_fast_forward_is_the_papers(options):
    """What training and prediction run gives the logits of the forward that reads as the paper's equations."""
    model = new_model(**options)
    batch = collate([window(1, 2, 1, 3, 1, 1, 2), window(2, 1, 1, seed=1)], 0)
    some = Spans(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 2, 1]), torch.tensor([1, 3, 6, 3]))
    entities = Spans(torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 1, 5, 0, 2]), torch.tensor([1, 4, 7, 1, 3]))
    related = Pairs(
        entities,
        torch.tensor([0, 1, 1, 0, 1]),
        torch.tensor([0, 1, 0, 2, 1, 3, 4]),
        torch.tensor([1, 0, 2, 0, 2, 4, 3]),
    )

    with torch.no_grad():
        slow = model(batch, some, related)
        encoded = model.encode(batch)
        fast = (*model.score_spans(encoded, some), *score_pairs(model, encoded, related))

    for one, other in zip(slow, fast, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-5)


def test_hidden_layer_by_hand():
    """With `pair_hidden` phase one of pairs judges tanh(W R_rb + b), not R_rb; phase two has R_rb still."""
    plain, hidden = new_model(), new_model(pair_hidden=True)
    hidden.load_state_dict(plain.state_dict(), strict=False)
    with torch.no_grad():
        hidden.pair_hidden.weight.copy_(torch.eye(16) * 1e-3)
        hidden.pair_hidden.bias.zero_()
        hidden.is_relation.weight.mul_(1e3)
    some = pairs([(0, 1)], [(2, 4)])

    scores = [score_pairs(model, model.encode(collate([window(1, 2, 1, 3)], 0)), some) for model in (plain, hidden)]

    assert torch.allclose(scores[0][0], scores[1][0], rtol=1e-3, atol=1e-4)
    assert torch.allclose(scores[0][1], scores[1][1], rtol=0, atol=1e-5)


def test_hidden_layer_beside_int8():
    """Quantised, a model with a hidden layer scores nearly as before: that layer is a head of the gate's sum."""
    model = new_model(pair_hidden=True)
    batch, some = collate([window(1, 2, 1, 3)], 0), pairs([(0, 1)], [(2, 4)])
    with torch.inference_mode():
        before = score_pairs(model, model.encode(batch), some)
        for part in (model.encoder, *model.role_maps()):
            replace_linears(part, Int8Linear)
        after = score_pairs(model, model.encode(batch), some)

    assert all(0 < (a - b).abs().max().item() < 0.2 for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("fusion", ["gate", "concat"])
@pytest.mark.parametrize("role_maps", [True, False])
def test_logits_of_parts_equal_logits_of_the_whole(fusion, role_maps):
    """Heads over the parts, mixed, give the logits of the heads over the fused representation."""
    torch.manual_seed(0)
    gate = Fusion(6, {"a": 6, "b": 6, "c": 6}, is_gate=fusion == "gate", has_maps=role_maps).double()
    heads = (nn.Linear(gate.width, 2).double(), nn.Linear(gate.width, 5).double())
    parts = {role: gate.map(role, torch.randn(7, 6, dtype=torch.float64)) for role in "abc"}

    alpha, logits = gate.mix([gate.project(role, x, heads) for role, x in parts.items()], heads)

    fused = gate.fuse(alpha, list(parts.values()))
    expected = torch.cat([head(fused) for head in heads], dim=1)
    assert torch.allclose(logits, expected, rtol=0, atol=1e-12)


def test_gate_weights_by_hand():
    """A gate weighs its representations by the softmax of one score each (Eq. 5)."""
    gate = Fusion(2, {"a": 2, "b": 2}, is_gate=True, has_maps=False)
    with torch.no_grad():
        gate.score.weight.copy_(torch.tensor([[1.0, 0.0]]))
    heads = (nn.Linear(2, 1),)
    a, b = torch.tensor([[0.0, 8.0]]), torch.tensor([[np.log(3.0), 4.0]], dtype=torch.float32)

    alpha, _ = gate.mix([gate.project(role, x, heads) for role, x in (("a", a), ("b", b))], heads)

    assert alpha.tolist()[0] == pytest.approx([0.25, 0.75])
    assert gate.fuse(alpha, [a, b]).tolist()[0] == pytest.approx([0.75 * np.log(3), 5.0], rel=1e-6)


def test_letter_of_the_paper_knows_no_direction():
    """Without a map for each role phase one scores (a, b) as (b, a): Eq. 5 by its letter."""
    model = new_model(role_maps=False)
    encoded = model.encode(collate([window(1, 2, 1, 3, 1)], 0))

    there, _ = score_pairs(model, encoded, pairs([(0, 1)], [(2, 4)]))
    back, _ = score_pairs(model, encoded, pairs([(2, 4)], [(0, 1)]))

    assert torch.allclose(there, back, rtol=0, atol=1e-5)


def test_role_maps_know_the_direction():
    """With a map for each role phase one scores (a, b) otherwise than (b, a)."""
    model = new_model(role_maps=True)
    encoded = model.encode(collate([window(1, 2, 1, 3, 1)], 0))

    there, _ = score_pairs(model, encoded, pairs([(0, 1)], [(2, 4)]))
    back, _ = score_pairs(model, encoded, pairs([(2, 4)], [(0, 1)]))

    assert (there - back).abs().max().item() > 0.01


def test_word_is_the_maximum_of_its_pieces():
    """A word's representation is the maximum over its pieces of the encoder's last layer (Eq. 3)."""
    model = new_model(role_maps=False)
    batch = collate([window(1, 3, 2)], 0)
    with torch.no_grad():
        hidden = model.encoder(input_ids=batch.pieces_BT, attention_mask=batch.mask_BT).last_hidden_state[0]

        encoded = model.encode(batch)

    assert torch.equal(encoded.cls_BD[0], hidden[0])
    for word, (begin, end) in enumerate([(1, 2), (2, 5), (5, 7)]):
        assert torch.equal(encoded.span_words_KND[0, word], hidden[begin:end].max(dim=0).values)


def test_sentence_alone_scores_as_in_a_padded_batch():
    """Padding and neighbours change no score by more than rounding."""
    model = new_model()
    short, long = window(1, 2, 1), window(*[2] * 12, seed=1)
    found = spans((0, 1), (1, 3)), pairs([(0, 1)], [(1, 3)])

    with torch.no_grad():
        scores = []
        for windows in ([short], [short, long]):
            encoded = model.encode(collate(windows, 0))
            scores.append((*model.score_spans(encoded, found[0]), *score_pairs(model, encoded, found[1])))

    alone, padded = scores
    assert all(torch.allclose(a, b, rtol=0, atol=1e-5) for a, b in zip(alone, padded, strict=True))


def with_context(encoded, word):
    """The same encoding, but for the context that a word gives."""
    table_KND = encoded.context_words_KND.clone()
    for level in range(len(table_KND)):
        table_KND[level, max(0, word + 1 - 2**level) : word + 1] = 50.0  # every run that covers the word
    return replace(encoded, context_words_KND=table_KND)


@pytest.mark.parametrize(("word", "is_seen"), [(0, False), (1, False), (2, True), (3, True), (4, False), (5, False)])
def test_context_lies_strictly_between_the_spans(word, is_seen):
    """A pair's score depends on the words between its spans, in either order, and on no other (Eq. 9)."""
    model = new_model()
    encoded = model.encode(collate([window(1, 1, 1, 1, 1, 1)], 0))

    for pair in (pairs([(1, 2)], [(4, 5)]), pairs([(4, 5)], [(1, 2)])):
        before, after = (score_pairs(model, e, pair)[0] for e in (encoded, with_context(encoded, word)))
        assert is_seen is not torch.equal(before, after)


@pytest.mark.parametrize(("head", "tail"), [((0, 1), (1, 2)), ((1, 3), (0, 1)), ((0, 3), (1, 2)), ((1, 3), (2, 3))])
def test_no_context_between_neighbours(head, tail):
    """With no word between two spans the context is a zero vector, whatever the words are."""
    model = new_model()
    encoded = model.encode(collate([window(1, 1, 1)], 0))
    everything = replace(encoded, context_words_KND=torch.full_like(encoded.context_words_KND, 50.0))
    nothing = replace(encoded, context_words_KND=torch.zeros_like(encoded.context_words_KND))

    scores = [score_pairs(model, e, pairs([head], [tail]))[0] for e in (everything, nothing)]

    assert torch.equal(*scores)


def test_distance_is_the_number_of_words_between():
    """The distance of a pair counts the words between, in either order, up to a cap; overlapping spans have none."""
    model = new_model(max_distance=3)
    cases = pairs([(0, 1), (0, 1), (3, 4), (0, 1), (0, 3)], [(1, 2), (3, 4), (0, 1), (9, 10), (1, 2)])

    _, _, distance = model._between(cases)

    assert distance.tolist() == [0, 2, 2, 3, 0]


def test_phase_two_sees_entity_types():
    """The types of a pair's ends change its relation type's logits (Eq. 13), and nothing of phase one."""
    model = new_model()
    encoded = model.encode(collate([window(1, 1, 1)], 0))

    first = score_pairs(model, encoded, pairs([(0, 1)], [(2, 3)], types=(0, 1)))
    other = score_pairs(model, encoded, pairs([(0, 1)], [(2, 3)], types=(1, 0)))

    assert torch.equal(first[0], other[0])
    assert not torch.allclose(first[1], other[1])


@pytest.mark.parametrize("fusion", ["gate", "concat"])
def test_phase_one_may_see_entity_types(fusion):
    """With `link_types` the types of a pair's ends, in their order, change phase one too; few pairs score as all do."""
    model = new_model(link_types=True, fusion=fusion)
    encoded = model.encode(collate([window(1, 1, 1)], 0))
    both = pairs([(0, 1), (0, 1)], [(2, 3), (2, 3)])
    both = replace(both, type_N=torch.tensor([0, 1, 1, 0]))
    ends = model.map_ends(encoded, both.entities)

    linked = model.link_pairs(encoded, ends, both).logits_P2

    assert not torch.allclose(linked[0], linked[1])
    assert torch.equal(linked, model.score_pairs(encoded, ends, both)[0])


def test_letter_case_is_seen():
    """With the word-shape embedding, words that differ in case alone are told apart."""
    model = new_model(word_shape=True)
    lower, upper = (collate([window(1, 1, shape=shape)], 0) for shape in (9, 7))

    scores = [model.score_spans(model.encode(batch), spans((0, 1)))[0] for batch in (lower, upper)]

    assert not torch.allclose(*scores)


def test_new_shape_embedding_changes_nothing():
    """Training starts from the pretrained encoder as it is: the shape embedding begins at zero."""
    model = TwoPhaseModel(TwoPhaseConfig(encoder=ENCODER, entity_types=["A"], relation_types=["R"], word_shape=True))

    assert model.shape_embedding.weight.abs().max().item() == 0


def test_model_without_relations():
    """An ontology of entities alone makes a model whose relation head has no columns, without a warning."""
    model = TwoPhaseModel(TwoPhaseConfig(encoder=ENCODER, entity_types=["A"], relation_types=[])).eval()
    encoded = model.encode(collate([window(1, 1, 1)], 0))

    _, types = score_pairs(model, encoded, pairs([(0, 1)], [(2, 3)], types=(0, 0)))

    assert types.shape == (1, 0)
