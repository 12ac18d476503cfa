"""Chooses the next tokens from logits: greedily, or by a random number that belongs to one answer and one step."""

from __future__ import annotations

from typing import Any

from codepref.sampling.engines.base import Decoding

FIRST_WIDTH = 32
"""The number of likeliest tokens among which the nucleus is searched first. Sorting a whole vocabulary is slow."""
_WIDER = 16
_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_GOLDEN = 0x9E3779B97F4A7C15


def uniform(seeds_A: Any, steps_A: Any) -> Any:
    """Return one number in [0, 1) for each answer, as an array of float64.

    The number depends only on the answer's seed and on the number of the step. It is the output function of SplitMix64
    (Steele, Lea and Flood, OOPSLA 2014), applied to the seed and then to the step.
    seeds_A, steps_A: arrays of numpy.uint64.
    """
    import numpy as np

    bits = _mix(_mix(seeds_A * np.uint64(_GOLDEN)) + steps_A * np.uint64(_GOLDEN))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(bits: Any) -> Any:
    import numpy as np

    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(_MULTIPLIERS[0])
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(_MULTIPLIERS[1])
    return bits ^ (bits >> np.uint64(31))


def choose(logits_AV: Any, decoding: Decoding, uniform_A: Any) -> Any:
    """Return the next token of each answer.

    logits_AV: float32 logits of answers x vocabulary. uniform_A: a random number in [0, 1) for each answer, as a tensor
    of float32 on the same device. It has no effect if the temperature is 0.
    With top_p < 1 the token is drawn from the nucleus (Holtzman et al., arXiv 1904.09751): the smallest set of
    likeliest tokens whose probabilities sum to at least top_p.
    """
    if decoding.temperature == 0:
        return logits_AV.argmax(-1)
    best_A, token_A = logits_AV.max(-1)
    weight_AV = logits_AV.sub(best_A[:, None]).mul_(1 / decoding.temperature).exp_()
    if decoding.top_p >= 1:
        sums_AV = weight_AV.cumsum(-1)
        drawn_A1 = uniform_A[:, None] * sums_AV[:, -1:]
        return (sums_AV <= drawn_A1).sum(-1).clamp(max=logits_AV.shape[-1] - 1)
    mass_A = weight_AV.sum(-1) * decoding.top_p
    rows = (mass_A > 1).nonzero()[:, 0]  # elsewhere the nucleus is the likeliest token alone, whose weight is 1
    width, vocabulary = FIRST_WIDTH, logits_AV.shape[-1]
    while len(rows):
        width = min(width, vocabulary)
        top_RK, index_RK = weight_AV[rows].topk(width)
        sums_RK = top_RK.cumsum(-1)
        mass_R1 = mass_A[rows, None]
        fits_R = (sums_RK[:, -1] >= mass_R1[:, 0]) | (width == vocabulary)
        last_R1 = (sums_RK < mass_R1).sum(-1, keepdim=True).clamp(max=width - 1)
        drawn_R1 = uniform_A[rows, None] * sums_RK.gather(1, last_R1)
        place_R1 = (sums_RK <= drawn_R1).sum(-1, keepdim=True).minimum(last_R1)
        chosen_R = index_RK.gather(1, place_R1)[:, 0]
        token_A[rows[fits_R]] = chosen_R[fits_R]
        rows, width = rows[~fits_R], width * _WIDER
    return token_A
