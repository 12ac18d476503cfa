"""Losses on pairs without a reference model: CPO, SimPO and ORPO."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PairLoss = Callable[[Any, Any, Any, float, float], tuple[Any, Any, Any]]
"""A function of the chosen and the rejected answers' summed log-probabilities (one for each pair), of the numbers of
their tokens (an array of 2 x pairs), of `beta` and of `gamma_ratio`. It returns each pair's loss without the likelihood
term, and the rewards of the chosen and the rejected answers."""


def cpo(chosen: Any, rejected: Any, lengths: Any, beta: float, gamma_ratio: float) -> tuple[Any, Any, Any]:
    """Return CPO's losses and rewards: -log sigmoid(beta (log p(chosen) - log p(rejected))), arXiv 2401.08417, eq. 5.

    It is DPO's loss without the log-probabilities of a reference model.
    """
    import torch

    rewards = beta * chosen, beta * rejected
    return -torch.nn.functional.logsigmoid(rewards[0] - rewards[1]), *rewards


def simpo(chosen: Any, rejected: Any, lengths: Any, beta: float, gamma_ratio: float) -> tuple[Any, Any, Any]:
    """Return SimPO's losses and rewards (arXiv 2405.14734, eq. 6).

    A reward is beta times the mean log-probability of a token. The loss is -log sigmoid(r(chosen) - r(rejected) -
    gamma), with the target margin gamma = gamma_ratio x beta.
    """
    import torch

    rewards = beta * chosen / lengths[0], beta * rejected / lengths[1]
    return -torch.nn.functional.logsigmoid(rewards[0] - rewards[1] - gamma_ratio * beta), *rewards


def orpo(chosen: Any, rejected: Any, lengths: Any, beta: float, gamma_ratio: float) -> tuple[Any, Any, Any]:
    """Return the second term of ORPO's loss (arXiv 2403.07691, eq. 6 and 7) and rewards.

    With p = exp(mean log-probability of a token) and odds = p / (1 - p), the term is beta times -log
    sigmoid(log(odds(chosen) / odds(rejected))). The first term is the likelihood term. A reward is beta times the mean
    log-probability of a token, as in TRL.
    """
    import torch

    # p = 1 would have infinite odds
    means = [(side / length).clamp(max=-1e-7) for side, length in zip((chosen, rejected), lengths, strict=True)]
    log_odds = [mean - torch.log(-torch.expm1(mean)) for mean in means]
    return -beta * torch.nn.functional.logsigmoid(log_odds[0] - log_odds[1]), beta * means[0], beta * means[1]
