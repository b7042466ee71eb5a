"""SparsitySolver's own search: PPO in a single-step environment (paper, section 3.1; settings of table 7)."""

from collections.abc import Callable
from dataclasses import dataclass

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger

from sparsitysolver.search.agents import Agent, agent_state, restore_agent
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.result import SearchResult

# Actions are clipped to the space's bounds; tanh is flat long before 10, so nothing is cut (deviation 5).
ACTION_LIMIT = 10.0


@dataclass(frozen=True)
class PPOSettings:
    """The agent. The paper fixes the first six (table 7); the others are stable-baselines3's or ours (deviation 5)."""

    actor_hidden: tuple[int, ...] = (256, 256)
    critic_hidden: tuple[int, ...] = (64, 64)
    learning_rate: float = 5e-4
    optimizer: str = "Adam"
    episodes_per_update: int = 15
    epochs: int = 10
    clip_range: float = 0.2
    initial_log_std: float = -0.5
    entropy_coefficient: float = 0.0
    value_coefficient: float = 0.5
    max_gradient_norm: float = 0.5


SETTINGS = PPOSettings()
BUDGET = "greedy"


class SingleStepEnvironment(gymnasium.Env):
    """One episode, one step: state = total pruning ratio, action = one number per unit, reward of the pruned model."""

    def __init__(self, problem: Problem, evaluate: Callable[[list[int]], float]) -> None:
        units = len(problem.units)
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, shape=(1,), dtype=np.float32)
        self.action_space = gymnasium.spaces.Box(-ACTION_LIMIT, ACTION_LIMIT, shape=(units,), dtype=np.float32)
        self._problem = problem
        self._evaluate = evaluate

    @property
    def state(self) -> np.ndarray:
        """The total pruning ratio P, as the only feature."""
        return np.array([self._problem.sparsity], dtype=np.float32)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        """Start an episode."""
        super().reset(seed=seed)
        return self.state, {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Constrain the action to the budget, prune, score: the episode is over."""
        reward = self._evaluate(self._problem.constrain(action))
        return self.state, reward, True, False, {}


class Search:
    """A PPO search that stands between two updates; ``journal`` says how far it has come.

    ``evaluate`` scores a candidate, notes it in the journal and returns its reward; by default with the problem's own
    objective. ``start`` is an agent whose networks and standard deviations are taken over; the optimiser is new
    (deviation 80).
    """

    def __init__(
        self,
        problem: Problem,
        journal: Journal,
        seed: int,
        settings: PPOSettings = SETTINGS,
        evaluate: Callable[[list[int]], float] | None = None,
        start: Agent | None = None,
    ) -> None:
        self.problem, self.journal, self.settings = problem, journal, settings
        evaluate = evaluate or (lambda kept: journal.record(problem, kept).reward)
        self._environment = SingleStepEnvironment(problem, evaluate)
        state = journal.resume()
        self._agent = _agent(self._environment, seed, settings)
        if state is not None:
            restore_agent(self._agent, state)
        elif start is not None:
            start.give_to(self._agent.policy)
        # Without a logger of its own, every call of ``learn`` leaves a folder behind in the temporary directory.
        self._agent.set_logger(Logger(folder=None, output_formats=[]))

    def update(self) -> None:
        """Fifteen episodes, one update of the agent, one checkpoint."""
        self._agent.learn(self.settings.episodes_per_update, reset_num_timesteps=False)
        self.journal.save(agent_state(self._agent))

    def draw(self) -> None:
        """One episode from the policy as it stands, without learning from it."""
        action, _ = self._agent.predict(self._environment.state, deterministic=False)
        self._environment.step(action)

    def policy_mean(self) -> list[int]:
        """Kept counts of the policy's mean action."""
        action, _ = self._agent.predict(self._environment.state, deterministic=True)
        return self.problem.constrain(action)

    @property
    def parameters(self) -> dict[str, torch.Tensor]:
        """Tensors of the policy: both networks and the logarithms of the standard deviations."""
        return self._agent.policy.state_dict()


def run(problem: Problem, journal: Journal, episodes: int, seed: int, start: Agent | None = None) -> SearchResult:
    """Search for ``episodes`` episodes; the final policy's mean action is candidate ``policy_mean``.

    A checkpoint is saved after every update of 15 episodes. Left-over episodes of the last, incomplete update are
    drawn from the final policy without another update.
    """
    search = Search(problem, journal, seed, start=start)
    with journal.progress(episodes, problem.objective.tokens):
        while len(journal.episodes) + search.settings.episodes_per_update <= episodes:
            search.update()
        while len(journal.episodes) < episodes:
            search.draw()
    journal.save_curve()
    return SearchResult({"policy_mean": search.policy_mean()}, search.parameters)


def _agent(environment: gymnasium.Env, seed: int, settings: PPOSettings) -> PPO:
    return PPO(
        "MlpPolicy",
        environment,
        learning_rate=settings.learning_rate,
        n_steps=settings.episodes_per_update,
        batch_size=settings.episodes_per_update,
        n_epochs=settings.epochs,
        clip_range=settings.clip_range,
        ent_coef=settings.entropy_coefficient,
        vf_coef=settings.value_coefficient,
        max_grad_norm=settings.max_gradient_norm,
        policy_kwargs={
            "net_arch": {"pi": list(settings.actor_hidden), "vf": list(settings.critic_hidden)},
            "log_std_init": settings.initial_log_std,
            "optimizer_class": getattr(torch.optim, settings.optimizer),
        },
        seed=seed,
        device="cpu",
    )
