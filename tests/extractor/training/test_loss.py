"""The joint loss, against numbers worked by hand."""

import math

import pytest
import torch

from kgmill.extractor.neural.spans import Pairs, Spans
from kgmill.extractor.training.loss import binary_loss, joint_loss, one_phase_loss, type_loss
from kgmill.extractor.training.sampling import Instances

LN2 = math.log(2)


def instances(span_types, pair_types):
    """Instances of these types, whose spans don't matter to the loss."""
    n, m = len(span_types), len(pair_types)
    spans, ends = Spans(*torch.zeros(3, n, dtype=torch.int64)), Spans(*torch.zeros(3, m, dtype=torch.int64))
    zeros = torch.zeros(m, dtype=torch.int64)
    types = torch.tensor(span_types, dtype=torch.int64), torch.tensor(pair_types, dtype=torch.int64)
    return Instances(spans, types[0], Pairs(ends, zeros, zeros, zeros), types[1])


def test_binary_loss():
    """Cross-entropy of both sigmoids, summed over the two and averaged over the instances."""
    logits = torch.tensor([[0.0, 0.0], [2.0, -1.0]])

    loss = binary_loss(logits, torch.tensor([True, False]))

    sure = math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))
    assert loss.item() == pytest.approx((2 * LN2 + sure) / 2)


def test_binary_loss_of_a_sure_error():
    """A large wrong logit costs as much as it is large, and overflows nothing."""
    loss = binary_loss(torch.tensor([[1000.0, -1000.0]]), torch.tensor([True]))

    assert loss.item() == pytest.approx(2000)


def test_binary_loss_of_a_softmax():
    """As a softmax, the loss is the cross-entropy of the right one of the two outputs."""
    logits = torch.tensor([[0.0, 0.0], [2.0, -1.0]])

    loss = binary_loss(logits, torch.tensor([True, False]), is_softmax=True)

    assert loss.item() == pytest.approx((LN2 + math.log1p(math.exp(-3))) / 2)


def test_type_loss():
    """Cross-entropy over types, averaged over the instances that have one."""
    logits = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [5.0, 5.0, 9.0]])

    loss = type_loss(logits, torch.tensor([2, 0, -1]))

    assert loss.item() == pytest.approx((math.log(3) + math.log1p(2 / math.e)) / 2)


def test_type_loss_over_all():
    """Averaged over all instances, negatives count in the denominator."""
    logits = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [5.0, 5.0, 9.0]])

    loss = type_loss(logits, torch.tensor([2, 0, -1]), is_over_all=True)

    assert loss.item() == pytest.approx((math.log(3) + math.log1p(2 / math.e)) / 3)


def test_two_phases_of_one_likelihood():
    """With softmax and averages over all, both phases are the likelihood of one softmax over none and all types."""
    found = instances(span_types=[1, -1, 0], pair_types=[])
    spans, pairs = (torch.randn(3, 2), torch.randn(3, 4)), (torch.zeros(0, 2), torch.zeros(0, 5))

    two = joint_loss(found, spans, pairs, is_softmax=True, is_over_all=True)

    assert two.item() == pytest.approx(joint_loss(found, spans, pairs, two_phase=False).item(), rel=1e-5)


@pytest.mark.parametrize("n", [0, 2])
def test_type_loss_without_gold(n):
    """Where no instance has a type the loss is 0, and so is its gradient."""
    logits = torch.ones(n, 3, requires_grad=True)

    loss = type_loss(logits, torch.full((n,), -1))
    loss.backward()

    assert loss.item() == 0
    assert logits.grad.abs().sum().item() == 0


def test_binary_loss_without_instances():
    """No instance costs nothing, and can be differentiated."""
    logits = torch.ones(0, 2, requires_grad=True)

    loss = binary_loss(logits, torch.ones(0, dtype=torch.bool))
    loss.backward()

    assert loss.item() == 0


def test_joint_loss():
    """The four losses are summed; phase two counts gold alone."""
    found = instances(span_types=[1, -1], pair_types=[0, -1, -1])
    spans = torch.zeros(2, 2), torch.zeros(2, 4)
    pairs = torch.zeros(3, 2), torch.zeros(3, 5)

    loss = joint_loss(found, spans, pairs)

    assert loss.item() == pytest.approx(2 * LN2 + math.log(4) + 2 * LN2 + math.log(5))


def test_joint_loss_of_a_sentence_without_entities():
    """A batch without gold still has the loss of its negative spans."""
    found = instances(span_types=[-1], pair_types=[])

    loss = joint_loss(found, (torch.zeros(1, 2), torch.zeros(1, 4)), (torch.zeros(0, 2), torch.zeros(0, 5)))

    assert loss.item() == pytest.approx(2 * LN2)


def test_one_phase_loss():
    """In one phase none is a class among the types, and its probability is that of phase one."""
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]]), torch.tensor([[math.log(4), 0.0], [9.0, 1.0]])

    loss = one_phase_loss(*logits, torch.tensor([0, -1]))

    assert loss.item() == pytest.approx((-math.log(1 / 2 * 4 / 5) - math.log(3 / 4)) / 2)


def test_one_phase_loss_without_instances():
    """No instance costs nothing."""
    assert one_phase_loss(torch.ones(0, 2), torch.ones(0, 3), torch.ones(0, dtype=torch.int64)).item() == 0


def test_joint_loss_in_one_phase():
    """Without two phases the loss is that of spans and that of pairs."""
    found = instances(span_types=[1, -1], pair_types=[0])

    loss = joint_loss(
        found, (torch.zeros(2, 2), torch.zeros(2, 4)), (torch.zeros(1, 2), torch.zeros(1, 5)), two_phase=False
    )

    assert loss.item() == pytest.approx((math.log(8) + LN2) / 2 + math.log(10))
