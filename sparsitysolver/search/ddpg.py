"""DDPG on a walk over the units: the agent that AMC and AGMC share, and its search (He et al. 2018, section 3.3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3 import DDPG
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.noise import ActionNoise
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from sparsitysolver.pruning.units import Unit
from sparsitysolver.search.agents import Agent, agent_state, begin
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.problem import Problem, SearchResult
from sparsitysolver.search.walk import Observer, UnitFeatures, Walk, WalkEnvironment

EPISODES_PER_CHECKPOINT = 15  # a killed search repeats at most so many
_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones")


@dataclass(frozen=True)
class DDPGSettings:
    """The agent; values are those of AMC's published code."""

    actor_hidden: tuple[int, ...] = (300, 300)
    critic_hidden: tuple[int, ...] = (300, 300)
    actor_learning_rate: float = 1e-4
    critic_learning_rate: float = 1e-3
    discount: float = 1.0
    target_rate: float = 0.01
    batch: int = 64
    replay_episodes: int = 100
    warm_up_episodes: int = 100
    # Of a small budget no more than this share is random (deviation 75).
    warm_up_share: float = 0.25
    noise: float = 0.5  # standard deviation, in ranges of the action
    noise_decay: float = 0.95  # per episode after the warm-up
    broadcast: bool = True  # final reward in every transition, or in the last one only

    def warm_up(self, episodes: int) -> int:
        """Random episodes at the start of a search of ``episodes``."""
        return min(self.warm_up_episodes, int(episodes * self.warm_up_share))


class WalkBuffer(ReplayBuffer):
    """Transitions of walks, of which the last one is rewarded; ``broadcast`` makes it AMC's published memory.

    That has the final reward in every transition of the episode, less a moving average, which moves half-way to the
    mean reward of every batch that is drawn (``lib/agent.py`` of AMC's code).
    """

    MOVE = 0.5

    def __init__(self, *args: Any, broadcast: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self.broadcast, self.average, self._begin = broadcast, None, 0

    def add(self, *transition: Any) -> None:
        """Add a transition; the last one of an episode settles the reward of all of them."""
        last, (reward, done) = self.pos, transition[3:5]
        super().add(*transition)
        if self.broadcast and done.all():
            length = (last - self._begin) % self.buffer_size + 1
            self.rewards[(self._begin + np.arange(length)) % self.buffer_size] = reward
            self._begin = self.pos

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """A batch, its rewards relative to the moving average."""
        batch = super().sample(batch_size, env)
        if not self.broadcast:
            return batch
        mean = float(batch.rewards.mean())
        self.average = mean if self.average is None else self.average + self.MOVE * (mean - self.average)
        return batch._replace(rewards=batch.rewards - self.average)

    def state(self) -> dict[str, Any]:
        """Everything that later samples depend on, between two episodes."""
        filled = {name: torch.from_numpy(getattr(self, name)[: self.size()].copy()) for name in _ARRAYS}
        average = {"average": self.average} if self.broadcast else {}
        return filled | {"position": self.pos, "full": self.full} | average

    def restore(self, state: dict[str, Any]) -> None:
        """Set the buffer to a saved :meth:`state`."""
        self.pos, self.full, self.average = state["position"], state["full"], state.get("average")
        self._begin = self.pos
        for name in _ARRAYS:
            getattr(self, name)[: self.size()] = state[name].numpy()


class WalkDDPG(DDPG):
    """DDPG with AMC's exploration and a learning rate each for actor and critic.

    The first ``random_episodes`` are uniformly random, before the policy acts and learns; ``options`` are those of
    stable-baselines3's ``DDPG``.
    """

    def __init__(self, *args: Any, random_episodes: int, settings: DDPGSettings, **options: Any) -> None:
        self.random_episodes, self.settings = random_episodes, settings
        super().__init__(*args, learning_rate=settings.critic_learning_rate, **options)

    def _update_learning_rate(self, optimizers: Any) -> None:
        """Called before every round of updates; the library itself has one rate for both."""
        super()._update_learning_rate(optimizers)
        for group in self.actor.optimizer.param_groups:
            group["lr"] = self.settings.actor_learning_rate

    def _sample_action(
        self, learning_starts: int, action_noise: ActionNoise | None = None, n_envs: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Action in its own range and in [-1, 1]: random at first, later truncated normal around the policy's."""
        acted = self._episode_num - self.random_episodes
        if acted < 0:
            scaled = torch.rand(n_envs, 1) * 2 - 1
        else:
            with torch.no_grad():
                mean = self.actor(torch.as_tensor(self._last_obs)).item()
            scaled = torch.full((n_envs, 1), mean)
            sigma = 2 * self.settings.noise * self.settings.noise_decay**acted  # [-1, 1] is two units wide
            if sigma > 0:  # it underflows after some 14,000 episodes
                torch.nn.init.trunc_normal_(scaled, mean, sigma, -1.0, 1.0)
        return self.policy.unscale_action(scaled.numpy()), scaled.numpy()


@dataclass
class WalkSearch:
    """A DDPG search that stands between two episodes; ``journal`` says how far it has come.

    A search that starts from another agent's networks needs no random episodes. ``observer`` makes what the agent sees
    of a walk over units; ``extractor`` is a network before its networks, None for none.
    """

    problem: Problem
    journal: Journal
    episodes: int
    seed: int
    start: Agent | None = None
    settings: DDPGSettings = DDPGSettings()
    observer: Callable[[Sequence[Unit]], Observer] = UnitFeatures
    extractor: type[torch.nn.Module] | None = None

    def __post_init__(self) -> None:
        settings, units = self.settings, len(self.problem.units)
        self.observe = self.observer(self.problem.units)
        policy: dict[str, Any] = {"net_arch": {"pi": [*settings.actor_hidden], "qf": [*settings.critic_hidden]}}
        if self.extractor is not None:
            policy |= {"features_extractor_class": self.extractor}
            policy |= {"features_extractor_kwargs": {"units": list(self.problem.units)}}
        random_episodes = settings.warm_up(self.episodes) if self.start is None else 0
        self.agent = WalkDDPG(
            "MlpPolicy",
            WalkEnvironment(self.problem, self.observe, lambda kept: self.journal.record(self.problem, kept).reward),
            random_episodes=random_episodes,
            settings=settings,
            buffer_size=settings.replay_episodes * units,
            learning_starts=random_episodes * units,
            batch_size=settings.batch,
            tau=settings.target_rate,
            gamma=settings.discount,
            train_freq=(1, "episode"),
            gradient_steps=-1,  # as many as the episode had steps
            replay_buffer_class=WalkBuffer,
            replay_buffer_kwargs={"broadcast": settings.broadcast},
            policy_kwargs=policy,
            seed=self.seed,
            device="cpu",
        )
        begin(self.agent, self.journal, self.start)

    def run(self) -> SearchResult:
        """All episodes; the final policy's own walk is candidate ``policy``."""
        with self.journal.progress(self.episodes, self.problem.objective.tokens):
            while (left := self.episodes - len(self.journal.episodes)) > 0:
                self.learn(min(left, EPISODES_PER_CHECKPOINT))
        return SearchResult({"policy": self.policy_walk()}, self.agent.policy.state_dict())

    def learn(self, episodes: int) -> None:
        """So many episodes, each followed by its updates of the agent; then a checkpoint."""
        self.agent.learn(episodes * len(self.problem.units), reset_num_timesteps=False)
        self.journal.save(agent_state(self.agent))

    def policy_walk(self) -> list[int]:
        """Kept counts of the policy's own walk, without noise."""
        walk = Walk(self.problem)
        while not walk.done:
            action, _ = self.agent.predict(self.observe(walk), deterministic=True)
            walk.keep(float(action[0]))
        return walk.kept


def search(
    problem: Problem, journal: Journal, episodes: int, seed: int, start: Agent | None = None, **how: Any
) -> SearchResult:
    """A whole search of ``episodes`` episodes; ``how`` are settings, observer and extractor of :class:`WalkSearch`."""
    return WalkSearch(problem, journal, episodes, seed, start, **how).run()
