"""Distillation: what teachers say of a step's instances, and what is learnt of it."""

import json
import shutil

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from kgmill.extractor.neural.checkpoint import load_checkpoint
from kgmill.extractor.neural.encoding import collate
from kgmill.extractor.training.distil import Teachers
from kgmill.extractor.training.lineage import seen_by
from kgmill.extractor.training.loss import one_phase_loss, soft_loss
from kgmill.extractor.training.sampling import sample
from kgmill.extractor.training.train import TrainingRun, read_data, train
from kgmill.schemas.errors import ConfigError
from kgmill.schemas.training import TrainConfig

CPU = torch.device("cpu")


@pytest.fixture
def teacher(tiny_model, tmp_path):
    """The tiny model, with the outputs of phase one read as a softmax."""
    shutil.copytree(tiny_model, tmp_path / "teacher")
    config = json.loads((tmp_path / "teacher" / "config.json").read_text()) | {"phase_one": "softmax"}
    (tmp_path / "teacher" / "config.json").write_text(json.dumps(config))
    return tmp_path / "teacher"


@pytest.fixture
def taught(training, teacher):
    """Makes the configuration of a training that goes on from its own teacher."""

    def configuration(**changes):
        changes = {"teachers": [str(teacher)], "dropout": 0.0} | changes
        given = training(**changes).model_dump(exclude={"encoder"}, exclude_unset=True)
        return TrainConfig.load(None, given | {"start": str(teacher)})

    return configuration


def run_of(config):
    """A run before its first step."""
    sets, ontology, dev = read_data(config)
    return TrainingRun(config, sets, ontology, dev, CPU)


def instances_of(run):
    """The first windows of a run, and what is learnt from them."""
    windows, config = run.windows[:4], run.config
    numbers = (config.negative_spans, config.negative_pairs)
    rng = np.random.default_rng(0)
    return windows, sample(windows, run.sentences, run.checkpoint.ontology, config.max_span_width, numbers, rng)


def logits_of(run, windows, instances):
    """What the run's model says of instances."""
    model = run.checkpoint.model
    encoded = model.encode(collate(windows, run.pieces.pad_id))
    ends = model.map_ends(encoded, instances.pairs.entities)
    return model.score_spans(encoded, instances.spans), model.score_pairs(encoded, ends, instances.pairs)


def test_soft_loss_of_sure_teachers_is_that_of_gold():
    """A teacher who is sure of one type, or of none, is a gold label."""
    torch.manual_seed(0)
    logits_N2, types_NC = torch.randn(5, 2), torch.randn(5, 3)
    column_N = torch.tensor([-1, 0, 2, 1, -1])

    soft = soft_loss(logits_N2, types_NC, F.one_hot(column_N + 1, 4).float())

    assert soft.item() == pytest.approx(one_phase_loss(logits_N2, types_NC, column_N).item())
    assert soft_loss(logits_N2[:0], types_NC[:0], torch.zeros(0, 4)).item() == 0.0


def test_targets_are_what_the_model_says(taught):
    """A model that is its own teacher has its own probabilities as targets, with sums of 1."""
    run = run_of(taught())
    windows, instances = instances_of(run)
    run.checkpoint.model.eval()

    targets = run.teachers.targets(windows, run.sentences, instances)

    spans, pairs = logits_of(run, windows, instances)
    for (phase_one, types), found_NK in ((spans, targets.span_SK), (pairs, targets.pair_PK)):
        assert found_NK.sum(dim=1).tolist() == pytest.approx([1.0] * len(found_NK), abs=1e-5)
        expected = phase_one.softmax(1)[:, 1:] * types.softmax(1)
        assert torch.allclose(found_NK[:, 1:], expected, atol=1e-5)
    assert targets.is_read_S.all()
    assert targets.is_read_P.all()


def test_nothing_is_learnt_from_oneself(taught):
    """A model that says what its teacher says moves no weight for it; gold labels would move it."""
    run = run_of(taught())
    windows, instances = instances_of(run)
    model = run.checkpoint.model.eval()
    targets = run.teachers.targets(windows, run.sentences, instances)

    def steepest(loss):
        model.zero_grad()
        loss.backward()
        return max(p.grad.abs().max().item() for p in model.parameters() if p.grad is not None)

    spans, pairs = logits_of(run, windows, instances)
    own = steepest(targets.loss(spans, pairs))
    spans, pairs = logits_of(run, windows, instances)
    gold = steepest(one_phase_loss(*spans, instances.span_type_S))

    assert own < 1e-5 < 1e-3 < gold


def test_several_teachers_are_averaged(taught, teacher, tmp_path):
    """Of several teachers each target is the mean."""
    other = tmp_path / "other"
    config = taught(teachers=[], out=str(other), learning_rate=1e-2, head_learning_rate=1e-2)
    train(config)
    run = run_of(taught(teachers=[str(teacher), str(other)]))
    windows, instances = instances_of(run)

    both, *each = (
        Teachers(names, run.checkpoint.ontology, CPU).targets(windows, run.sentences, instances)
        for names in ([str(teacher), str(other)], [str(teacher)], [str(other)])
    )

    assert not torch.allclose(each[0].span_SK, each[1].span_SK)
    assert torch.allclose(both.span_SK, (each[0].span_SK + each[1].span_SK) / 2)
    assert torch.allclose(both.pair_PK, (each[0].pair_PK + each[1].pair_PK) / 2)


def test_sentence_that_a_teacher_cannot_read_at_once(taught):
    """What doesn't fit a teacher has no target, and the rest of the batch has its own."""
    run = run_of(taught(teacher_memory=0))
    windows, instances = instances_of(run)
    whole = run.teachers.targets(windows, run.sentences, instances)
    longest = max(range(len(windows)), key=lambda i: len(windows[i].pieces))
    run.teachers.teachers[0].pieces.max_length = len(windows[longest].pieces) - 1

    cut = run.teachers.targets(windows, run.sentences, instances)

    too_long = {i for i, w in enumerate(windows) if len(w.pieces) > run.teachers.teachers[0].pieces.max_length}
    is_short_S = torch.tensor([row not in too_long for row in instances.spans.row_S.tolist()])
    assert longest in too_long
    assert torch.equal(cut.is_read_S, is_short_S)
    assert torch.allclose(cut.span_SK[is_short_S], whole.span_SK[is_short_S], atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_a_teacher_read_is_read_once(taught, precision):
    """Targets from kept encodings are those of the first reading, and the encoder is not asked again."""
    run = run_of(taught(precision=precision, teacher_memory=1))
    windows, instances = instances_of(run)
    [teacher] = run.teachers.teachers
    n_read = []
    teacher.model.encoder.register_forward_pre_hook(
        lambda _, args, kwargs: n_read.append(len(kwargs["attention_mask"])), with_kwargs=True
    )

    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        first, again = (run.teachers.targets(windows, run.sentences, instances) for _ in range(2))
        assert n_read == [len(windows)]
        teacher.kept.popitem()
        teacher.n_bytes_left = 0
        without = [run.teachers.targets(windows, run.sentences, instances) for _ in range(2)][1]

    assert n_read == [len(windows), 1, 1]
    for found in (again, without):
        assert torch.allclose(found.span_SK, first.span_SK, atol=1e-2 if precision == "bf16" else 1e-6)
        assert torch.allclose(found.pair_PK, first.pair_PK, atol=1e-2 if precision == "bf16" else 1e-6)
    assert torch.equal(again.span_SK, first.span_SK)


def test_training_is_pulled_to_the_teacher(taught, teacher, tmp_path):
    """After equal steps the model with a teacher is nearer to it, and knows what the teacher was trained on."""

    def away(out):
        old = dict(load_checkpoint(teacher, CPU).model.named_parameters())
        new = dict(load_checkpoint(out, CPU).model.named_parameters())
        return sum((new[name] - old[name]).square().sum().item() for name in old)

    rates = {"learning_rate": 1e-4, "head_learning_rate": 1e-4, "epochs": 4, "weight_decay": 0.0, "ema_decay": 0.0}
    plain, soft = tmp_path / "plain", tmp_path / "soft"
    train(taught(teachers=[], out=str(plain), **rates))
    train(taught(out=str(soft), teacher_weight=0.95, **rates))

    assert away(soft) < away(plain)
    assert seen_by(teacher) is None or seen_by(teacher) <= seen_by(soft)


@pytest.mark.parametrize("fault", ["types", "sigmoid"])
def test_teacher_that_does_not_fit(taught, teacher, tmp_path, fault):
    """Other types, or outputs that are no probabilities: one line that names the teacher."""
    other = tmp_path / "other"
    shutil.copytree(teacher, other)
    if fault == "types":
        config = json.loads((other / "config.json").read_text())
        text = (other / "ontology.toml").read_text()
        first, second = config["entity_types"][:2]
        for a, b in ((first, "__"), (second, first), ("__", second)):
            text = text.replace(f"[entities.{a}]", f"[entities.{b}]").replace(f'[entities."{a}"]', f'[entities."{b}"]')
        config["entity_types"][:2] = [second, first]
        (other / "ontology.toml").write_text(text)
        (other / "config.json").write_text(json.dumps(config))
    else:
        config = json.loads((other / "config.json").read_text()) | {"phase_one": "sigmoid"}
        (other / "config.json").write_text(json.dumps(config))

    with pytest.raises(ConfigError, match=f"teacher {other}: "):
        run_of(taught(teachers=[str(other)]))


def test_student_of_two_sigmoids(taught):
    """Phase one has to be a softmax in the model that learns, too."""
    with pytest.raises(ConfigError, match="phase_one"):
        taught(phase_one="sigmoid")
