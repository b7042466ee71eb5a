"""SparsitySolver's own search: PPO in a single-step environment (paper, section 3.1; settings of table 7)."""

from collections.abc import Callable
from types import SimpleNamespace

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO

from sparsitysolver.search.agents import Agent, agent_state, begin
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.problem import Problem, SearchResult

# Actions are clipped to the space's bounds; tanh is flat long before 10, so nothing is cut (deviation 5).
ACTION_LIMIT = 10.0

# The agent. The paper fixes the first six (table 7); the others are stable-baselines3's or ours (deviation 5).
SETTINGS = SimpleNamespace(
    actor_hidden=(256, 256),
    critic_hidden=(64, 64),
    learning_rate=5e-4,
    optimizer="Adam",
    episodes_per_update=15,
    epochs=10,
    clip_range=0.2,
    initial_log_std=-0.5,
    entropy_coefficient=0.0,
    value_coefficient=0.5,
    max_gradient_norm=0.5,
)
BUDGET = "greedy"


class SingleStepEnvironment(gymnasium.Env):
    """One episode, one step: state = total pruning ratio, action = one number per unit, reward of the pruned model."""

    def __init__(self, problem: Problem, evaluate: Callable[[list[int]], float]) -> None:
        units = len(problem.units)
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, shape=(1,), dtype=np.float32)
        self.action_space = gymnasium.spaces.Box(-ACTION_LIMIT, ACTION_LIMIT, shape=(units,), dtype=np.float32)
        self.state = np.array([problem.sparsity], dtype=np.float32)
        self._problem, self._evaluate = problem, evaluate

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
    objective. ``start`` is an agent whose networks and standard deviations are taken over.
    """

    def __init__(
        self,
        problem: Problem,
        journal: Journal,
        seed: int,
        evaluate: Callable[[list[int]], float] | None = None,
        start: Agent | None = None,
    ) -> None:
        self.problem, self.journal = problem, journal
        evaluate = evaluate or (lambda kept: journal.record(problem, kept).reward)
        self.environment = SingleStepEnvironment(problem, evaluate)
        self.agent = PPO(
            "MlpPolicy",
            self.environment,
            learning_rate=SETTINGS.learning_rate,
            n_steps=SETTINGS.episodes_per_update,
            batch_size=SETTINGS.episodes_per_update,
            n_epochs=SETTINGS.epochs,
            clip_range=SETTINGS.clip_range,
            ent_coef=SETTINGS.entropy_coefficient,
            vf_coef=SETTINGS.value_coefficient,
            max_grad_norm=SETTINGS.max_gradient_norm,
            policy_kwargs={
                "net_arch": {"pi": list(SETTINGS.actor_hidden), "vf": list(SETTINGS.critic_hidden)},
                "log_std_init": SETTINGS.initial_log_std,
                "optimizer_class": getattr(torch.optim, SETTINGS.optimizer),
            },
            seed=seed,
            device="cpu",
        )
        begin(self.agent, journal, start)

    def update(self) -> None:
        """Fifteen episodes, one update of the agent, one checkpoint."""
        self.agent.learn(SETTINGS.episodes_per_update, reset_num_timesteps=False)
        self.journal.save(agent_state(self.agent))

    def draw(self) -> None:
        """One episode from the policy as it stands, without learning from it."""
        action, _ = self.agent.predict(self.environment.state, deterministic=False)
        self.environment.step(action)

    def policy_mean(self) -> list[int]:
        """Kept counts of the policy's mean action."""
        action, _ = self.agent.predict(self.environment.state, deterministic=True)
        return self.problem.constrain(action)


def run(problem: Problem, journal: Journal, episodes: int, seed: int, start: Agent | None = None) -> SearchResult:
    """Search for ``episodes`` episodes; the final policy's mean action is candidate ``policy_mean``.

    A checkpoint is saved after every update of 15 episodes. Left-over episodes of the last, incomplete update are
    drawn from the final policy without another update.
    """
    search = Search(problem, journal, seed, start=start)
    with journal.progress(episodes, problem.objective.tokens):
        while len(journal.episodes) + SETTINGS.episodes_per_update <= episodes:
            search.update()
        while len(journal.episodes) < episodes:
            search.draw()
    journal.save_curve()
    return SearchResult({"policy_mean": search.policy_mean()}, search.agent.policy.state_dict())
