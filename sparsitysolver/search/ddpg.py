"""DDPG on a walk over the units: the agent that AMC and AGMC share, and its search (He et al. 2018, section 3.3)."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from stable_baselines3 import DDPG
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.noise import ActionNoise

from sparsitysolver.search.agents import Agent, agent_state, restore_agent
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.replay import BroadcastBuffer, TerminalBuffer
from sparsitysolver.search.result import SearchResult
from sparsitysolver.search.walk import Observer, Walk, WalkEnvironment

# Episodes between two checkpoints; a killed search repeats at most so many.
EPISODES_PER_CHECKPOINT = 15


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


class WalkDDPG(DDPG):
    """DDPG with AMC's exploration and a learning rate each for actor and critic.

    Args:
        random_episodes: episodes of uniformly random actions before the policy acts and learns.
        settings: see :class:`DDPGSettings`.
        options: of stable-baselines3's ``DDPG``.
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
    """A DDPG search that stands between two episodes; ``journal`` says how far it has come."""

    problem: Problem
    journal: Journal
    episodes: int
    seed: int
    observe: Observer
    settings: DDPGSettings
    policy: dict[str, Any] = field(default_factory=dict)  # further arguments of the policy
    start: Agent | None = None

    def __post_init__(self) -> None:
        environment = WalkEnvironment(self.problem, self.observe, self._evaluate)
        state = self.journal.resume()
        self.agent = self._new_agent(environment)
        if state is not None:
            restore_agent(self.agent, state)
        elif self.start is not None:
            self.start.give_to(self.agent.policy)

    def _evaluate(self, kept: list[int]) -> float:
        return self.journal.record(self.problem, kept).reward

    def _new_agent(self, environment: WalkEnvironment) -> WalkDDPG:
        """A fresh agent; one that starts from another's networks needs no random episodes."""
        settings, units = self.settings, len(self.problem.units)
        random_episodes = settings.warm_up(self.episodes) if self.start is None else 0
        agent = WalkDDPG(
            "MlpPolicy",
            environment,
            random_episodes=random_episodes,
            settings=settings,
            buffer_size=settings.replay_episodes * units,
            learning_starts=random_episodes * units,
            batch_size=settings.batch,
            tau=settings.target_rate,
            gamma=settings.discount,
            train_freq=(1, "episode"),
            gradient_steps=-1,  # as many as the episode had steps
            replay_buffer_class=BroadcastBuffer if settings.broadcast else TerminalBuffer,
            policy_kwargs={
                "net_arch": {"pi": list(settings.actor_hidden), "qf": list(settings.critic_hidden)},
                **self.policy,
            },
            seed=self.seed,
            device="cpu",
        )
        agent.set_logger(Logger(folder=None, output_formats=[]))
        return agent

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
