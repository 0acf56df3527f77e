"""The joint loss (Eq. 16): two binary and two multi-class losses, summed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from extractor.sampling import Instances


def binary_loss(logits_N2: Tensor, is_positive_N: Tensor, *, is_softmax: bool = False) -> Tensor:
    """Binary cross-entropy over both outputs, summed over the two and averaged over instances; 0 for no instance.

    With `is_softmax` the two outputs are one softmax, as prediction reads them.

    Source: Eq. 11, with the log that its second term lost.
    """
    if not len(logits_N2):
        return logits_N2.sum()
    if is_softmax:
        return F.cross_entropy(logits_N2, is_positive_N.long())
    target_N2 = F.one_hot(is_positive_N.long(), 2).to(logits_N2.dtype)
    return F.binary_cross_entropy_with_logits(logits_N2, target_N2, reduction="sum") / len(logits_N2)


def type_loss(logits_NC: Tensor, column_N: Tensor, *, is_over_all: bool = False) -> Tensor:
    """Cross-entropy over types, averaged over the instances that have one (column >= 0); 0 where none has.

    With `is_over_all` the sum is divided by the number of all instances, as the binary losses are.

    Source: Eq. 15.
    """
    gold = torch.nonzero(column_N >= 0).squeeze(1)
    if not len(gold):
        return logits_NC.sum() * 0.0
    loss = F.cross_entropy(logits_NC[gold], column_N[gold])
    return loss * (len(gold) / len(column_N)) if is_over_all else loss


def one_phase_loss(logits_N2: Tensor, type_logits_NC: Tensor, column_N: Tensor) -> Tensor:
    """Cross-entropy over all types and none, averaged over instances, from logits taken apart by phase; 0 for none.

    Source: Table 7, w/o two-phase.
    """
    if not len(logits_N2):
        return logits_N2.sum()
    log_prob_NC = F.log_softmax(logits_N2, dim=1)[:, 1:] + F.log_softmax(type_logits_NC, dim=1)
    log_none_N1 = F.log_softmax(logits_N2, dim=1)[:, :1]
    return F.nll_loss(torch.cat((log_none_N1, log_prob_NC), dim=1), column_N + 1)


def joint_loss(
    instances: Instances,
    span_logits: tuple[Tensor, Tensor],
    pair_logits: tuple[Tensor, Tensor],
    *,
    two_phase: bool = True,
    is_softmax: bool = False,
    is_over_all: bool = False,
) -> Tensor:
    """The loss of Eq. 16 from the outputs of `score_spans` and `score_pairs` on the instances."""
    if not two_phase:
        return one_phase_loss(*span_logits, instances.span_type_S) + one_phase_loss(*pair_logits, instances.pair_type_P)
    return (
        binary_loss(span_logits[0], instances.span_type_S >= 0, is_softmax=is_softmax)
        + type_loss(span_logits[1], instances.span_type_S, is_over_all=is_over_all)
        + binary_loss(pair_logits[0], instances.pair_type_P >= 0, is_softmax=is_softmax)
        + type_loss(pair_logits[1], instances.pair_type_P, is_over_all=is_over_all)
    )
