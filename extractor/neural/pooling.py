"""Maxima over runs of words, for all spans and pairs of a batch at once.

Shapes: B rows, W words, S spans, D hidden width, K levels of a pooling table, N = B * W.
"""

from __future__ import annotations

import torch
from torch import Tensor


def pooling_table(x_BWD: Tensor, max_length: int) -> Tensor:
    """Maxima over runs of 1, 2, 4, ... words, for runs of up to `max_length`, as [K, B * W, D].

    Level k at word w is the maximum over words w to w + 2**k - 1: each level doubles the one before, so any run is the
    maximum of two entries, and no [spans, length, width] tensor exists.
    """
    levels = [x_BWD]
    reach = 1
    while reach * 2 <= max_length and reach < x_BWD.shape[1]:
        longest = levels[-1]
        levels.append(torch.cat((torch.maximum(longest[:, :-reach], longest[:, reach:]), longest[:, -reach:]), dim=1))
        reach *= 2
    return torch.stack([level.flatten(0, 1) for level in levels])


def range_max(table_KND: Tensor, n_words: int, row_S: Tensor, start_S: Tensor, end_S: Tensor) -> Tensor:
    """Element-wise maximum over words start to end - 1 of a row, [S, D]; of no meaning where start == end.

    Source: Eq. 4 and 9.
    """
    n_levels, n, _ = table_KND.shape
    length_S = end_S - start_S
    level_S = torch.log2(length_S.clamp(min=1).to(torch.float64)).floor().long().clamp(max=n_levels - 1)
    first_S = level_S * n + row_S * n_words + start_S.clamp(max=n_words - 1)
    last_S = first_S + (length_S - (1 << level_S)).clamp(min=0)
    flat = table_KND.flatten(0, 1)
    return torch.maximum(flat.index_select(0, first_S), flat.index_select(0, last_S))


def all_spans_max(table_KND: Tensor, n_words: int, max_width: int) -> Tensor:
    """`range_max` of all spans of up to `max_width` words, [B * W * max_width, D], by row, start, width.

    The loop is over widths; spans are never gathered. What runs past the row's end is of no meaning.
    """
    n_levels, n, d = table_KND.shape
    levels_KBWD = table_KND.view(n_levels, n // n_words, n_words, d)
    pooled = table_KND.new_empty(n // n_words, n_words, max_width, d)
    for width in range(1, max_width + 1):
        level = min(width.bit_length(), n_levels) - 1
        shift = min(width - (1 << level), n_words)
        words_BWD, last = levels_KBWD[level], n_words - shift
        torch.maximum(words_BWD[:, :last], words_BWD[:, shift:], out=pooled[:, :last, width - 1])
        pooled[:, last:, width - 1] = words_BWD[:, last:]
    return pooled.view(-1, d)
