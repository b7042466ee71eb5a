"""Rewards by name (no torch)."""

from collections.abc import Callable

from sparsitysolver.errors import unknown_name

REWARD_SCALE = 10.0  # the paper's coefficient (section 3.1, reward function)
ACCURACY = "accuracy"


def inverse_ppl(ppl: float, dense_ppl: float) -> float:
    """10 / ppl (the paper's reward)."""
    return REWARD_SCALE / ppl


def dense_ratio(ppl: float, dense_ppl: float) -> float:
    """Dense perplexity over pruned perplexity: the same in scale for every model."""
    return dense_ppl / ppl


PERPLEXITY_REWARDS: dict[str, Callable[[float, float], float]] = {
    "inverse_ppl": inverse_ppl,
    "dense_ratio": dense_ratio,
}
REWARDS = (*PERPLEXITY_REWARDS, ACCURACY)


def check_reward(name: str) -> str:
    """A reward's name, or an error with near names."""
    if name not in REWARDS:
        raise unknown_name("reward", name, REWARDS)
    return name
