"""One search from model to strategy: problem, algorithm, rescoring of the best candidates, the record."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from sparsitysolver.data.windows import Windows, spread
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.evaluation.perplexity import perplexity
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.pruning.budget import Bounds, budget_rule, check_bounds, default_bounds
from sparsitysolver.pruning.scores import criterion
from sparsitysolver.pruning.selection import Selection
from sparsitysolver.pruning.units import achieved_sparsity, check_sparsity, structured_units
from sparsitysolver.records import Json, content_key
from sparsitysolver.search import ppo
from sparsitysolver.search.engine import PrefixEngine
from sparsitysolver.search.problem import Episode, Journal, Problem, check_episodes, reward_rule
from sparsitysolver.strategy import make_strategy

ALGORITHMS: dict[str, ModuleType] = {"ppo": ppo}
GRANULARITIES = ("structured",)


@dataclass(frozen=True)
class SearchSettings:
    """What decides a search's result besides model, statistics and text.

    ``reward_windows`` and ``rescore_windows`` count windows spread evenly over the reward split, 0 for all of them;
    the ``rescore_top`` best episodes and the algorithm's own candidates are scored again on ``rescore_windows``
    before one is chosen.
    """

    algorithm: str = "ppo"
    sparsity: float = 0.2
    episodes: int = 3000
    seed: int = 0
    reward: str = "inverse_ppl"
    reward_split: str = "validation"
    reward_windows: int = 8
    rescore_windows: int = 32
    rescore_top: int = 5
    budget: str = "greedy"
    a_min: float | None = None
    a_max: float = 1.0
    literal: bool = False
    criterion: str = "l2"

    def check(self) -> "SearchSettings":
        """Refuse what cannot be searched, before anything is loaded."""
        check_sparsity(self.sparsity)
        check_episodes(self.episodes)
        if self.algorithm not in ALGORITHMS:
            raise unknown_name("search algorithm", self.algorithm, ALGORITHMS)
        budget_rule(self.budget)
        reward_rule(self.reward)
        check_bounds(self.bounds, self.sparsity)
        return self

    @property
    def bounds(self) -> Bounds:
        """a_min and a_max, a_min by default as the sparsity asks."""
        if self.a_min is None:
            return default_bounds(self.sparsity, self.a_max)
        return Bounds(self.a_min, self.a_max)


def settings_from(options: Mapping[str, Any]) -> SearchSettings:
    """Settings from command-line options of the same names, checked together with granularity and criterion."""
    if options["granularity"] not in GRANULARITIES:
        raise unknown_name("granularity", options["granularity"], GRANULARITIES)
    criterion(options["criterion"])
    names = [field.name for field in fields(SearchSettings) if field.name in options]
    return SearchSettings(**{name: options[name] for name in names}).check()


def solve(
    loaded: LoadedModel,
    selection: Selection,
    calibration: Json,
    windows: Windows,
    settings: SearchSettings,
    out: Path,
    log: Callable[[str], None] = print,
) -> Json:
    """Search a strategy; the curve file and the checkpoint lie beside ``out``. The strategy itself is returned.

    The model is taken over by the episode engine: its heads and neurons are reordered in place.
    """
    settings.check()
    engine = PrefixEngine(loaded.adapter, selection)
    problem = make_problem(loaded, engine, windows, settings)
    identity = content_key(
        [
            asdict(settings),
            loaded.weights_sha256,
            calibration["sha256"],
            windows.text.sha256,
            windows.seqlen,
            loaded.dtype,
        ],
        64,
    )
    journal = Journal(out.with_suffix(".curve.csv"), out.with_suffix(".checkpoint"), identity, log=log)
    algorithm = ALGORITHMS[settings.algorithm]
    own = algorithm.run(problem, journal, settings.episodes, settings.seed)
    candidates = _rescore(problem, journal, own, windows, settings)
    chosen = min(candidates, key=lambda candidate: _finite(candidate["rescored_ppl"], np.inf))
    if chosen["rescored_ppl"] is None:
        raise SparsitySolverError(
            f"no candidate of the search has a finite perplexity (the dense model's is {problem.dense_ppl:.4g}): "
            "take a lower --sparsity or another --dtype."
        )
    return make_strategy(
        problem.units,
        chosen["kept"],
        settings.sparsity,
        {
            "name": loaded.source.name,
            "family": loaded.adapter.shape.family,
            "weights_sha256": loaded.weights_sha256,
        },
        _found(problem, journal, candidates, chosen, windows, settings, calibration),
        settings.seed,
        {"resumed_at": journal.resumed_at or 0, "search_seconds": round(journal.seconds, 3)},
    )


def make_problem(loaded: LoadedModel, engine: PrefixEngine, windows: Windows, settings: SearchSettings) -> Problem:
    """The problem that settings pose on a model and its reward windows; refuses a model of no finite perplexity."""
    units = structured_units(loaded.adapter.shape)
    tokens = torch.from_numpy(_subset(windows, settings.reward_windows).astype(np.int64))
    tokens = tokens.to(loaded.adapter.input_device)
    dense = perplexity(engine.losses([unit.size for unit in units], tokens))
    if not np.isfinite(dense):
        raise SparsitySolverError(
            f"the dense model's perplexity on the reward windows is {dense}: nothing can be searched. Check the model "
            "with 'sparsitysolver preflight', or take another dtype."
        )
    return Problem(
        units=units,
        sparsity=settings.sparsity,
        bounds=settings.bounds,
        project=budget_rule(settings.budget),
        reward=reward_rule(settings.reward),
        losses=engine.losses,
        windows=tokens,
        dense_ppl=dense,
        literal=settings.literal,
    )


def _subset(windows: Windows, count: int) -> np.ndarray:
    """``count`` windows spread evenly (0 or more than there are: all)."""
    total = len(windows.ids)
    return windows.ids[spread(total, count if 0 < count < total else None)]


def _rescore(
    problem: Problem, journal: Journal, own: dict[str, list[int]], windows: Windows, settings: SearchSettings
) -> list[dict[str, Any]]:
    """Candidates for the final choice, each scored on more windows: the best episodes and the algorithm's own."""
    ranked = sorted(journal.episodes, key=lambda episode: -episode.reward)
    distinct: list[Episode] = []
    for episode in ranked:
        if all(episode.kept != other.kept for other in distinct):
            distinct.append(episode)
        if len(distinct) == settings.rescore_top:
            break
    named = {f"best_{rank}": episode.kept for rank, episode in enumerate(distinct, start=1)} | own
    tokens = torch.from_numpy(_subset(windows, settings.rescore_windows).astype(np.int64))
    tokens = tokens.to(problem.windows.device)
    candidates = []
    for name, kept in named.items():
        ppl, _ = problem.score(kept)
        again = perplexity(problem.losses(kept, tokens))
        sparsity = round(achieved_sparsity(problem.units, kept), 10)
        candidates.append(
            {
                "name": name,
                "kept": kept,
                "reward_ppl": _finite(ppl, None),
                "rescored_ppl": _finite(again, None),
                "achieved_sparsity": sparsity,
            }
        )
    return candidates


def _finite(value: float | None, otherwise: float | None) -> float | None:
    """JSON has no infinity: a perplexity that is not finite is kept as null."""
    return value if value is not None and np.isfinite(value) else otherwise


def _found(
    problem: Problem,
    journal: Journal,
    candidates: list[dict[str, Any]],
    chosen: dict[str, Any],
    windows: Windows,
    settings: SearchSettings,
    calibration: Json,
) -> Json:
    rescored = len(_subset(windows, settings.rescore_windows)) * windows.seqlen
    spent = sum(episode.tokens for episode in journal.episodes)
    return {
        **asdict(settings),
        "a_min": problem.bounds.lower,
        "agent": ALGORITHMS[settings.algorithm].record(),
        "text": windows.text.source,
        "text_sha256": windows.text.sha256,
        "seqlen": windows.seqlen,
        "reward_windows": len(problem.windows),
        "dense_ppl": problem.dense_ppl,
        "evaluations": len(journal.episodes) + 2 * len(candidates),
        "tokens": spent + len(candidates) * (rescored + problem.windows.numel()),
        "calibration": calibration,
        "chosen": chosen["name"],
        "candidates": candidates,
    }
