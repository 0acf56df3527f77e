"""Prediction: the same bits whatever the neighbours, windows, odd input."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch._dynamo.utils
from torch import nn

from kgmill.extractor.calibration import Scale
from kgmill.extractor.candidates import EVERYTHING, Floors
from kgmill.extractor.decode import decode
from kgmill.extractor.neural.checkpoint import Checkpoint
from kgmill.extractor.neural.config import TwoPhaseConfig
from kgmill.extractor.neural.linears import Int8Linear, OneDnnLinear, replace_linears
from kgmill.extractor.neural.two_phase import TwoPhaseModel
from kgmill.extractor.predict import (
    Predictor,
    _Grid,
    _keep_spans,
    _pairs_in_rows,
    bucket_length,
    open_predictor,
)
from kgmill.extractor.training.sampling import all_spans
from kgmill.schemas.errors import CheckpointError, ConfigError

FLOORS = Floors(-7.0, -7.0)  # low enough for many spans and several chunks of pairs
LOW, MIDDLE, RANDOM = Floors(-2.3, -2.3), Floors(-1.1, -1.1), Floors(-0.4, -0.4)
MANY_PAIRS = 300
NAMES = ("Ada", "Byron", "Acme", "Corp", "Paris", "London", "worked", "lives", "in", "for", "the", "1,200", ",", "NATO")

needs_onednn = pytest.mark.skipif(not OneDnnLinear.is_available(), reason="this torch has no oneDNN")


def neighbours(n, seed=0, longest=24):
    """Random sentences of up to `longest` words."""
    rng = np.random.default_rng(seed)
    return [rng.choice(NAMES, rng.integers(1, longest)).tolist() for _ in range(n)]


@pytest.fixture(scope="module", params=[None, Int8Linear, OneDnnLinear])
def wide(request, predictor):
    """A random model of a real encoder's width, whose products take other paths than tiny ones; by each of them."""
    if request.param is OneDnnLinear and not OneDnnLinear.is_available():
        pytest.skip("this torch has no oneDNN")
    torch.manual_seed(0)
    encoder = {
        "model_type": "bert",
        "vocab_size": predictor.pieces.tokenizer.vocab_size,
        "hidden_size": 384,
        "num_hidden_layers": 2,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
        "max_position_embeddings": 64,
    }
    config = TwoPhaseConfig(
        encoder=encoder,
        entity_types=list(predictor.config.entity_types),
        relation_types=list(predictor.config.relation_types),
        max_length=64,
    )
    model = TwoPhaseModel(config).eval()
    if request.param:
        replace_linears(model.encoder, request.param)
    checkpoint = Checkpoint(model, predictor.pieces.tokenizer, predictor.ontology)
    return Predictor(checkpoint, torch.device("cpu"), 1)


def test_sentence_alone_equals_sentence_in_company(predictor, sentences, is_equal):
    """Each sentence alone has, bit for bit, the candidates that it has among forty others, in any place."""
    others = neighbours(40)

    before = predictor.predict([*others, *sentences], FLOORS)[-len(sentences) :]
    after = predictor.predict([*sentences[::-1], *others], FLOORS)[: len(sentences)][::-1]

    assert sum(len(c.pairs) for c in before) > MANY_PAIRS
    for words, first, second in zip(sentences, before, after, strict=True):
        (alone,) = predictor.predict([words], FLOORS)
        assert is_equal(alone, first)
        assert is_equal(alone, second)


def test_wide_model_alone_equals_in_company(wide, sentences, is_equal):
    """The same holds at a real encoder's width."""
    company = wide.predict([*neighbours(20, longest=12), *sentences], RANDOM)[-len(sentences) :]

    assert sum(len(c.pairs) for c in company) > MANY_PAIRS
    for words, candidates in zip(sentences, company, strict=True):
        assert is_equal(wide.predict([words], RANDOM)[0], candidates)


@pytest.mark.parametrize("precision", ["bf16", "fp16", "int8"])
def test_other_precisions(tiny_model, sentences, is_equal, precision):
    """At other precisions the mentions are found too, and a sentence alone scores as in company."""
    found = open_predictor(tiny_model, "cpu", precision, 1)

    company = found.predict([*neighbours(10), *sentences], MIDDLE)[-len(sentences) :]

    mentions, relations = decode(found.calibration.apply(company[0]), found.ontology, 0.3)
    assert [(m.start, m.end, m.type) for m in mentions] == [(0, 2, "Peop"), (4, 6, "Org"), (7, 8, "Loc")]
    assert [(r.head, r.type, r.tail) for r in relations] == [(0, "Work_For", 1)]
    assert company[0].entity_margin.dtype == np.float32
    assert all(is_equal(found.predict([s], MIDDLE)[0], c) for s, c in zip(sentences, company, strict=True))


@pytest.mark.parametrize(
    ("precision", "falls_short", "kind"),
    [("fp32", True, OneDnnLinear), ("fp32", False, nn.Linear), ("bf16", True, nn.Linear), ("int8", True, Int8Linear)],
)
@needs_onednn
def test_whose_product_is_taken(tiny_model, sentences, monkeypatch, precision, falls_short, kind):
    """oneDNN's where MKL's leaves half of the processor unused; what is found stays the same."""
    monkeypatch.setattr("kgmill.extractor.predict.mkl_falls_short", lambda: falls_short)

    found = open_predictor(tiny_model, "cpu", precision, 1)

    layers = [type(m) for m in found.model.encoder.modules() if isinstance(m, (nn.Linear, Int8Linear, OneDnnLinear))]
    assert set(layers) == {kind}
    (candidates,) = found.predict(sentences[:1], MIDDLE)
    mentions, _ = decode(found.calibration.apply(candidates), found.ontology, 0.3)
    assert [m.type for m in mentions] == ["Peop", "Org", "Loc"]


def test_shapes_do_not_depend_on_company(predictor, sentences, monkeypatch):
    """The model sees one shape a length of window, entities and pairs in chunks of one size, whatever the company."""
    shapes, sizes = set(), set()
    jobs = ("encode", "link_pairs", "type_pairs", "map_ends")
    encode, link_pairs, type_pairs, map_ends = (getattr(predictor.model, name) for name in jobs)

    def spy_encode(batch, features):
        shapes.add(tuple(batch.pieces_BT.shape))
        return encode(batch, features)

    def spy_links(encoded, ends, pairs):
        sizes.add(len(pairs.head_P))
        return link_pairs(encoded, ends, pairs)

    def spy_types(encoded, ends, pairs, linked):
        sizes.update((len(pairs.head_P), len(linked.context_PD)))
        return type_pairs(encoded, ends, pairs, linked)

    def spy_ends(encoded, entities):
        sizes.add(len(entities.row_S))
        return map_ends(encoded, entities)

    monkeypatch.setattr(predictor.model, "encode", spy_encode)
    monkeypatch.setattr(predictor.model, "link_pairs", spy_links)
    monkeypatch.setattr(predictor.model, "type_pairs", spy_types)
    monkeypatch.setattr(predictor.model, "map_ends", spy_ends)

    for company in ([], neighbours(3), neighbours(40)):
        predictor.predict([*sentences, *company], FLOORS)

    assert len(shapes) == len({length for _, length in shapes}) > 2
    assert len(sizes) == 1


def test_number_of_threads_changes_no_bit(tiny_model, predictor, sentences, is_equal):
    """One thread and two give the same candidates."""
    two = open_predictor(tiny_model, "cpu", "fp32", 2)
    found = [*sentences, *neighbours(40)]

    pairs = zip(predictor.predict(found, FLOORS), two.predict(found, FLOORS), strict=True)

    assert all(is_equal(a, b) for a, b in pairs)


def test_torch_threads_are_left_as_they_were(predictor, sentences):
    """Prediction sets torch's threads for itself alone."""
    torch.set_num_threads(2)
    try:
        predictor.predict(sentences, MIDDLE)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_a_second_call_gives_the_same(predictor, sentences, is_equal):
    """What was predicted before changes nothing."""
    first, again = predictor.predict(sentences, FLOORS), predictor.predict(sentences, FLOORS)

    assert all(is_equal(a, b) for a, b in zip(first, again, strict=True))


def test_progress_is_told_batch_by_batch(predictor):
    """The shares that are done rise to 1, and there are as many as batches."""
    shares = []
    predictor.predict(neighbours(100), FLOORS, shares.append)
    windows = list(predictor.pieces.windows(neighbours(100)))
    assert len(shares) == len(list(predictor.batches(windows))) > 1
    assert shares == sorted(shares)
    assert (shares[0] > 0, shares[-1]) == (True, 1.0)


def test_no_sentences(predictor):
    """No sentences give no candidates."""
    assert predictor.predict([], MIDDLE) == []


def test_empty_sentence(predictor, sentences, is_equal):
    """A sentence without words has no candidates, and keeps its place among others."""
    found = predictor.predict([[], sentences[0], []], MIDDLE)

    assert [len(c.spans) > 0 for c in found] == [False, True, False]
    assert (found[0].type_logits.shape, found[0].relation_logits.shape) == ((0, 3), (0, 3))
    assert is_equal(found[1], predictor.predict(sentences[:1], MIDDLE)[0])


def test_one_word(predictor):
    """A sentence of one word has no pairs."""
    (found,) = predictor.predict([["Initech"]], FLOORS)

    assert found.spans.tolist() == [[0, 1]]
    assert found.pairs.shape == (0, 2)


def test_candidates_are_sorted_and_above_the_floor(predictor, sentences):
    """Spans are sorted, pairs too, and nothing below the floor is kept."""
    for found in predictor.predict([*sentences, *neighbours(10)], LOW):
        assert found.spans.tolist() == sorted(found.spans.tolist())
        assert found.pairs.tolist() == sorted(found.pairs.tolist())
        assert found.entity_margin.min(initial=1) >= -2.3
        assert found.pair_margin.min(initial=1) >= -2.3


def test_probabilities_of_types_sum_to_one(predictor, sentences):
    """Phase two is a softmax over types: all types together are as probable as phase one."""
    for candidates in predictor.predict(sentences, LOW):
        found = predictor.calibration.apply(candidates)
        assert np.allclose(found.mention_prob.sum(axis=1), Scale().probability(candidates.entity_margin))
        assert np.allclose(found.relation_prob.sum(axis=1), Scale().probability(candidates.pair_margin))


def test_long_sentence(predictor, sentences):
    """A sentence longer than the model's input has what its windows have alone, with offsets in its own words."""
    words = [word for sentence in sentences * 5 for word in sentence]
    windows = list(predictor.pieces.windows([words]))
    expected = {}
    for window in windows:
        part = words[window.first_word : window.first_word + window.n_words]
        (found,) = predictor.predict([part], LOW)
        for (start, end), margin in zip(found.spans + window.first_word, found.entity_margin, strict=True):
            expected.setdefault((start, end), set()).add(margin)

    (found,) = predictor.predict([words], LOW)

    assert len(windows) > 5
    assert [tuple(span) for span in found.spans] == sorted(expected)
    assert all(m in expected[tuple(span)] for span, m in zip(found.spans, found.entity_margin, strict=True))
    assert found.spans[-1, 1] > len(words) - 4


def test_giant_word(predictor):
    """A word of a hundred thousand characters is one word."""
    (found,) = predictor.predict([["of", "x" * 100_000, "in"]], FLOORS)

    assert {tuple(span) for span in found.spans.tolist()} <= {tuple(span) for span in all_spans(3, 4).tolist()}


@pytest.mark.parametrize(("n_pieces", "length"), [(3, 16), (16, 16), (17, 20), (65, 72), (512, 512), (513, 1024)])
def test_bucket_length(n_pieces, length):
    """A window goes into the smallest bucket that holds it."""
    assert bucket_length(n_pieces) == length


def test_encoder_with_odd_positions(wide, sentences):
    """No batch is longer than the encoder has positions for, though its length is no bucket's."""
    config = TwoPhaseConfig(**wide.config.to_dict() | {"max_length": 19})
    config.encoder = wide.config.encoder | {"max_position_embeddings": 19}
    checkpoint = Checkpoint(TwoPhaseModel(config).eval(), wide.pieces.tokenizer, wide.ontology)

    found = Predictor(checkpoint, torch.device("cpu"), 1).predict(sentences, RANDOM)

    assert all(len(c.spans) for c in found)


def test_most_spans_of_a_window():
    """At most two spans a word are kept, the likeliest, and a window's bound counts no other window's spans."""
    bounds = all_spans(4, 4)
    row = np.repeat([0, 1], len(bounds))
    grid = _Grid(None, np.tile(bounds[:, 0], 2), np.tile(bounds[:, 1], 2), row)
    prob = np.linspace(0.5, 0.9, 2 * len(bounds))

    kept = _keep_spans(prob, grid, np.array([3, 4]), 0.1)

    first, second = kept[row[kept] == 0], kept[row[kept] == 1] - len(bounds)
    assert bounds[first].tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert bounds[second].tolist() == bounds[2:].tolist()


def test_pairs_in_rows():
    """All ordered pairs of different candidates of one row, and none across rows."""
    pairs = _pairs_in_rows(np.array([0, 0, 2, 3, 3]))

    assert pairs.tolist() == [[0, 1], [1, 0], [3, 4], [4, 3]]


def out_of_memory_above(predictor, monkeypatch, n_rows, error):
    """Makes the model fail with `error` for batches of more rows than `n_rows`; returns the rows of those it took."""
    encode, taken = predictor.model.encode, []

    def limited(batch, features):
        if len(batch.pieces_BT) > n_rows:
            raise error
        taken.append(len(batch.pieces_BT))
        return encode(batch, features)

    monkeypatch.setattr(predictor.model, "encode", limited)
    return taken


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_out_of_memory_halves_the_batch(predictor, sentences, monkeypatch, error):
    """Where memory runs out the batch is halved until it fits; every sentence keeps its place and its candidates."""
    found = [*sentences, *neighbours(30)]
    expected = predictor.predict(found, LOW)
    taken = out_of_memory_above(predictor, monkeypatch, 5, error)

    halved = predictor.predict(found, LOW)

    assert max(taken) <= 5
    assert [c.spans.tolist() for c in halved] == [c.spans.tolist() for c in expected]
    assert all(np.allclose(a.pair_margin, b.pair_margin, atol=1e-5) for a, b in zip(halved, expected, strict=True))


def test_one_row_that_does_not_fit(predictor, sentences, monkeypatch):
    """A single row that memory can't hold is an error."""
    out_of_memory_above(predictor, monkeypatch, 0, torch.OutOfMemoryError("CUDA out of memory."))

    with pytest.raises(torch.OutOfMemoryError):
        predictor.predict(sentences, LOW)


def test_other_errors_are_not_tried_again(predictor, sentences, monkeypatch):
    """An error that is none of memory is raised at once."""
    taken = out_of_memory_above(predictor, monkeypatch, 5, RuntimeError("shape mismatch"))

    with pytest.raises(RuntimeError, match="shape mismatch"):
        predictor.predict(sentences, LOW)
    assert taken == []


def peak_mb(run):
    """By how much the resident memory of this process rises, at most, while `run` works."""
    status = Path("/proc/self/status")
    if not status.is_file():
        pytest.skip("needs Linux's /proc to measure memory")

    def read(name):
        return int(next(line for line in status.read_text().splitlines() if line.startswith(name)).split()[1]) / 1024

    Path("/proc/self/clear_refs").write_text("5")
    before = read("VmRSS")
    run()
    return read("VmHWM") - before


def test_sentence_of_twenty_thousand_words(predictor):
    """A sentence of 20,000 words passes in bounded memory, all its words seen."""
    words = (neighbours(1, longest=4000)[0] * 20_000)[:20_000]
    found = []

    used = peak_mb(lambda: found.extend(predictor.predict([words], Floors(-1.5, -1.5))))

    assert found[0].spans[-1, 1] > 19_900
    assert used < 400


def test_two_hundred_entities_in_a_sentence(wide):
    """Two hundred candidates in one sentence, 39,800 pairs, pass in bounded memory."""
    config = TwoPhaseConfig(**wide.config.to_dict() | {"max_length": 256, "max_span_width": 1})
    config.encoder = wide.config.encoder | {"max_position_embeddings": 256}
    torch.manual_seed(0)
    long = Predictor(
        Checkpoint(TwoPhaseModel(config).eval(), wide.pieces.tokenizer, wide.ontology), torch.device("cpu"), 1
    )
    found = []

    used = peak_mb(lambda: found.extend(long.predict([["in"] * 200], EVERYTHING)))

    assert (len(found[0].spans), len(found[0].pairs)) == (200, 200 * 199)
    assert used < 600


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++, which is not here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_encoder(tiny_model, sentences):
    """A compiled encoder is what predicts, and finds what the plain one does."""
    plain = open_predictor(tiny_model, "cpu", "fp32", 1).predict(sentences, MIDDLE)
    torch._dynamo.utils.counters.clear()

    compiled = open_predictor(tiny_model, "cpu", "fp32", 1, is_compiled=True).predict(sentences, MIDDLE)

    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert [c.spans.tolist() for c in compiled] == [c.spans.tolist() for c in plain]
    assert all(np.allclose(a.entity_margin, b.entity_margin, atol=1e-3) for a, b in zip(compiled, plain, strict=True))


@pytest.mark.slow
def test_machine_without_a_compiler(tiny_model, tmp_path):
    """Where torch finds no compiler one line says so; in a process of its own, as torch looks for one but once."""
    code = "import pathlib, sys; from kgmill.extractor.predict import open_predictor as run; "
    code += "run(pathlib.Path(sys.argv[1]), 'cpu', 'fp32', 1, is_compiled=True)"
    environment = os.environ | {"CXX": "no-such-compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}

    command = [sys.executable, "-c", code, str(tiny_model)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    name, _, said = done.stderr.splitlines()[-1].partition(": ")
    assert name == "kgmill.schemas.errors.CheckpointError"
    assert re.fullmatch(r"torch can't compile the encoder here \(.*\); build without `compile`", said)


def test_int8_is_for_cpus(tiny_model):
    """On a GPU int8 is refused by the name of the device, before the model is read."""
    with pytest.raises(ConfigError, match=r"^precision int8 is for CPUs, the device is cuda:0: say --device cpu, or"):
        open_predictor(tiny_model, "cuda:0", "int8")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_gpu_that_is_not_there(tiny_model):
    """Asking for a GPU where torch sees none is refused with a way out."""
    with pytest.raises(CheckpointError, match=r"^device cuda: this torch .* sees no GPU; see README"):
        open_predictor(tiny_model, "cuda", "fp32")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_company_on_a_gpu(tiny_model, sentences, is_equal):
    """On a GPU too, a sentence alone has the candidates that it has among others."""
    found = open_predictor(tiny_model, "cuda", "fp32")

    company = found.predict([*neighbours(40), *sentences], FLOORS)[-len(sentences) :]

    assert all(is_equal(found.predict([s], FLOORS)[0], c) for s, c in zip(sentences, company, strict=True))
