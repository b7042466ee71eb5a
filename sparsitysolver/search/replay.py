"""Replay buffers of walks: what a transition within an episode is worth, and their content as a checkpoint."""

from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones")


class TerminalBuffer(ReplayBuffer):
    """Transitions as the environment gives them: only the last one of an episode is rewarded."""

    def state(self) -> dict[str, Any]:
        """Everything that later samples depend on."""
        filled = {name: torch.from_numpy(getattr(self, name)[: self.size()].copy()) for name in _ARRAYS}
        return filled | {"position": self.pos, "full": self.full}

    def restore(self, state: dict[str, Any]) -> None:
        """Set the buffer to a saved :meth:`state`."""
        self.pos, self.full = state["position"], state["full"]
        for name in _ARRAYS:
            getattr(self, name)[: self.size()] = state[name].numpy()


class BroadcastBuffer(TerminalBuffer):
    """AMC's published memory: the final reward in every transition of the episode, less a moving average.

    The average moves half-way to the mean reward of every batch that is drawn (``lib/agent.py`` of AMC's code).
    """

    MOVE = 0.5

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.average: float | None = None
        self._begin = 0

    def add(
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Add a transition; the last one of an episode settles the reward of all of them."""
        last = self.pos
        super().add(obs, next_obs, action, reward, done, infos)
        if done.all():
            length = (last - self._begin) % self.buffer_size + 1
            self.rewards[(self._begin + np.arange(length)) % self.buffer_size] = reward
            self._begin = self.pos

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """A batch, its rewards relative to the moving average."""
        batch = super().sample(batch_size, env)
        mean = float(batch.rewards.mean())
        self.average = mean if self.average is None else self.average + self.MOVE * (mean - self.average)
        return batch._replace(rewards=batch.rewards - self.average)

    def state(self) -> dict[str, Any]:
        """Everything that later samples depend on, between two episodes."""
        return super().state() | {"average": self.average}

    def restore(self, state: dict[str, Any]) -> None:
        """Set the buffer to a saved :meth:`state`."""
        super().restore(state)
        self.average, self._begin = state["average"], self.pos
