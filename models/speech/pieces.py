"""Speech of any length in bounded memory: overlapping pieces of equal length, cross-faded where they overlap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

STATES_PER_S = 50


def spans(states: int, piece: int, overlap: int) -> list[tuple[int, int]]:
    """Cover [0, states) by the fewest spans [start, stop) of at most `piece` that overlap by `overlap` or more.

    Spans differ by at most one in length, so that no short last piece lacks context.
    """
    if not 0 <= 2 * overlap < piece:
        raise ValueError(f"a piece of {piece} states must be more than twice the overlap of {overlap}")
    if states <= piece:
        return [(0, states)]
    count = -(-(states - overlap) // (piece - overlap))
    length = -(-(states + (count - 1) * overlap) // count)
    starts = [round(i * (states - length) / (count - 1)) for i in range(count)]
    return [(start, start + length) for start in starts]


def encode_in_pieces(encode: Callable[[int, int], np.ndarray], states: int, piece_s: float,
                     overlap_s: float) -> np.ndarray:
    """Join `encode(start, stop)` [stop - start, D] over all spans -> [states, D]; linear cross-fade in overlaps."""
    parts = spans(states, round(piece_s * STATES_PER_S), round(overlap_s * STATES_PER_S))
    joined = encode(*parts[0])
    for start, stop in parts[1:]:
        piece, shared = encode(start, stop), len(joined) - start
        weight = ((np.arange(shared) + 0.5) / max(shared, 1))[:, None].astype(piece.dtype)
        faded = joined[start:] * (1 - weight) + piece[:shared] * weight
        joined = np.concatenate([joined[:start], faded, piece[shared:]])
    return joined
