"""The joint loss (Eq. 16): two binary and two multi-class losses, summed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kgmill.extractor.training.sampling import Instances, Known


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


def type_loss(
    logits_NC: Tensor, column_N: Tensor, *, is_over_all: bool = False, among_NC: Tensor | None = None
) -> Tensor:
    """Cross-entropy over types, averaged over the instances that have one (column >= 0); 0 where none has.

    With `is_over_all` the sum is divided by the number of all instances, as the binary losses are. With `among_NC` an
    instance has one of several types: what counts is the sum of their probabilities.

    Source: Eq. 15.
    """
    gold = torch.nonzero(column_N >= 0).squeeze(1)
    if not len(gold):
        return logits_NC.sum() * 0.0
    if among_NC is None:
        loss = F.cross_entropy(logits_NC[gold], column_N[gold])
    else:
        loss = -_log_prob_among(F.log_softmax(logits_NC[gold], dim=1), among_NC[gold]).mean()
    return loss * (len(gold) / len(column_N)) if is_over_all else loss


def _log_prob_among(log_prob_NC: Tensor, among_NC: Tensor) -> Tensor:
    """The logarithm of the summed probability of some types of each instance, [N]."""
    return torch.logsumexp(log_prob_NC.masked_fill(~among_NC, torch.finfo(log_prob_NC.dtype).min), dim=1)


def one_phase_loss(
    logits_N2: Tensor, type_logits_NC: Tensor, column_N: Tensor, *, among_NC: Tensor | None = None
) -> Tensor:
    """Cross-entropy over all types and none, averaged over instances, from logits taken apart by phase; 0 for none.

    `among_NC` is as in `type_loss`.

    Source: Table 7, w/o two-phase.
    """
    if not len(logits_N2):
        return logits_N2.sum()
    log_prob_NK = log_probabilities(logits_N2, type_logits_NC)
    if among_NC is None:
        return F.nll_loss(log_prob_NK, column_N + 1)
    return -_log_prob_among(log_prob_NK, torch.cat((column_N.unsqueeze(1) < 0, among_NC), dim=1)).mean()


def log_probabilities(logits_N2: Tensor, type_logits_NC: Tensor) -> Tensor:
    """The log probabilities of none and of each type, [N, 1 + C], that both phases, each a softmax, give together."""
    log_prob_N2 = F.log_softmax(logits_N2, dim=1)
    return torch.cat((log_prob_N2[:, :1], log_prob_N2[:, 1:] + F.log_softmax(type_logits_NC, dim=1)), dim=1)


def soft_loss(logits_N2: Tensor, type_logits_NC: Tensor, target_NK: Tensor) -> Tensor:
    """Cross-entropy under probabilities of none and of each type, averaged over instances; 0 for none.

    Source: the soft targets of Hinton, Vinyals and Dean, 2015, at temperature 1.
    """
    if not len(logits_N2):
        return logits_N2.sum()
    return -(target_NK * log_probabilities(logits_N2, type_logits_NC)).sum(dim=1).mean()


def joint_loss(
    instances: Instances,
    span_logits: tuple[Tensor, Tensor],
    pair_logits: tuple[Tensor, Tensor],
    *,
    two_phase: bool = True,
    is_softmax: bool = False,
    is_over_all: bool = False,
) -> Tensor:
    """The loss of Eq. 16 from the outputs of `score_spans` and `score_pairs` on the instances.

    What is not known of an instance (`Instances.span_known`, `pair_known`) is no part of it. Where one softmax has both
    phases, an instance counts if both are known.
    """
    outputs = (
        (span_logits, instances.span_type_S, instances.span_known),
        (pair_logits, instances.pair_type_P, instances.pair_known),
    )
    losses = []
    for logits, column_N, known in outputs:
        if two_phase:
            losses.append(_finding_loss(logits[0], column_N, known, is_softmax=is_softmax))
            losses.append(_typing_loss(logits[1], column_N, known, is_over_all=is_over_all))
        elif known is None:
            losses.append(one_phase_loss(*logits, column_N))
        else:
            both = known.phase_one_N & (known.phase_two_N | (column_N < 0))
            losses.append(
                one_phase_loss(logits[0][both], logits[1][both], column_N[both], among_NC=known.among_NC[both])
            )
    return sum(losses[1:], losses[0])


def _finding_loss(logits_N2: Tensor, column_N: Tensor, known: Known | None, *, is_softmax: bool) -> Tensor:
    """Phase one."""
    if known is not None:
        logits_N2, column_N = logits_N2[known.phase_one_N], column_N[known.phase_one_N]
    return binary_loss(logits_N2, column_N >= 0, is_softmax=is_softmax)


def _typing_loss(logits_NC: Tensor, column_N: Tensor, known: Known | None, *, is_over_all: bool) -> Tensor:
    """Phase two."""
    if known is None:
        return type_loss(logits_NC, column_N, is_over_all=is_over_all)
    column_N = column_N.masked_fill(~known.phase_two_N, -1)
    return type_loss(logits_NC, column_N, is_over_all=is_over_all, among_NC=known.among_NC)
