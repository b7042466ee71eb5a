"""``study arena``: every search of one problem on the same validation and test windows."""

import argparse
import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from sparsitysolver.config.arena import definition, entrant_of
from sparsitysolver.config.registry import SEARCHING, method
from sparsitysolver.data.windows import Windows, spread
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.cells import perplexity_fingerprint
from sparsitysolver.evaluation.perplexity import perplexity
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.provenance import Clock
from sparsitysolver.pruning.budget import Bounds, projection
from sparsitysolver.pruning.effect_table import predicted, reach, read_table, solve
from sparsitysolver.pruning.effect_table import units_of as table_units
from sparsitysolver.pruning.job import Job
from sparsitysolver.pruning.strategy import kept_counts, read_strategy
from sparsitysolver.pruning.units import (
    UNSTRUCTURED,
    Unit,
    achieved_sparsity,
    check_sparsity,
    uniform_kept,
    units_of,
)
from sparsitysolver.records.files import Json, content_key, identity, write_record
from sparsitysolver.search.engines import Engine, build_engine
from sparsitysolver.search.journal import anytime, read_curve
from sparsitysolver.search.settings import DEFAULT_CRITERIA
from sparsitysolver.stages.common import calibrated, head_of, no_ids, open_dense, statistics_of, tokens_of, windows_of
from sparsitysolver.statistics.collect import Statistics

UNIFORM, SURROGATE = "uniform", "surrogate"


@dataclass
class Judge:
    """Scores kept counts on fixed windows of two splits, each candidate once."""

    engine: Engine
    validation: torch.Tensor
    test: torch.Tensor
    _known: dict[tuple[int, ...], float] = field(default_factory=dict)

    def validation_ppl(self, kept: Sequence[int]) -> float | None:
        """Perplexity on the validation windows, None where it is not finite."""
        if tuple(kept) not in self._known:
            self._known[tuple(kept)] = perplexity(self.engine.losses(kept, self.validation))
        return _finite(self._known[tuple(kept)])

    def test_ppl(self, kept: Sequence[int]) -> float | None:
        """Perplexity on the test windows, None where it is not finite."""
        return _finite(perplexity(self.engine.losses(kept, self.test)))

    def final(self, kept: Sequence[int]) -> Json:
        """Both perplexities of a final strategy, and the test windows' mean losses (nats per token)."""
        losses = self.engine.losses(kept, self.test)
        ppl = _finite(perplexity(losses))
        return {
            "validation_ppl": self.validation_ppl(kept),
            "test_ppl": ppl,
            "test_losses": [round(float(loss), 8) for loss in losses] if ppl is not None else [],
        }


def run(args: argparse.Namespace) -> None:
    """Score the strategies, what their searches held for best on the way, and allocations without a search."""
    clock = Clock()
    check_sparsity(args.sparsity)
    loaded = open_dense(args, "strategies are for")
    units = units_of(loaded.adapter.shape, args.granularity)
    weights, asked = loaded.weights_sha256, (args.sparsity, args.granularity)
    found = [(path, read_strategy(path, units, weights, *asked)) for path in map(Path, args.strategies)]
    calibration = calibrated(args, method(SEARCHING, args.granularity), loaded)
    statistics = statistics_of(loaded, calibration, args.stats, UNSTRUCTURED)  # OWL reads all matrices
    lines = _lines(args, loaded, statistics, units)
    validation, test = (_windows(args, loaded, split) for split in ("validation", "test"))
    criterion = _criterion(found)
    engine = build_engine(loaded.adapter, statistics, args.granularity, criterion)
    judge = Judge(engine, tokens_of(validation), tokens_of(test))
    record = head_of(args, loaded, index=args.seed_index) | {
        "granularity": args.granularity,
        "sparsity": args.sparsity,
        "seed": args.seed_index,
        "criterion": criterion,
        "calibration": calibration.record(),
        "fingerprints": {
            "validation": perplexity_fingerprint(loaded, validation),
            "test": perplexity_fingerprint(loaded, test),
        },
        "dense": judge.final([unit.size for unit in units]),
        "lines": [line | judge.final(line["kept"]) for line in lines],
        "searches": [_scored(judge, units, path, strategy) for path, strategy in tqdm(found, desc="score")],
        "pareto": _pareto(judge, found, args),
    }
    write_record(args.out, record | {"run": clock.record()}, "arena")
    for scored in sorted(record["searches"], key=lambda one: one["test_ppl"] or math.inf):
        print(f"{scored['algorithm']}: test perplexity {scored['test_ppl']}, {scored['tokens']} tokens")


def _criterion(found: Sequence[tuple[Path, Json]]) -> str:
    """What ranks the items of a unit: the same in all searches, or they did not search the same models."""
    criteria = {strategy["found"]["criterion"]: path for path, strategy in found}
    if len(criteria) > 1:
        named = ", ".join(f"{path} by {name}" for name, path in criteria.items())
        raise SparsitySolverError(f"the searches rank items by different criteria: {named}; one arena has one.")
    return next(iter(criteria))


def _lines(args: argparse.Namespace, loaded: LoadedModel, statistics: Statistics, units: Sequence[Unit]) -> list[Json]:
    """Allocations without a search, put on the budget; uniform is that of the tables."""
    found = []
    for name, line in definition().lines.items():
        if name == UNIFORM:
            kept = uniform_kept(units, args.sparsity, args.granularity)
        else:
            options = {key: str(value) for key, value in line.options.items()}
            job = Job(
                loaded.adapter,
                args.sparsity,
                calibrate=lambda: statistics,
                ids=no_ids,
                reconstruction_ids=no_ids,
                granularity=args.granularity,
                criterion=DEFAULT_CRITERIA[UNSTRUCTURED],  # what OWL compares layers by
                options=options,
            )
            ratios = np.array(importlib.import_module(f"baselines.{name}").allocate(job)) / [u.size for u in units]
            kept = projection(ratios, units, args.sparsity, Bounds(0.0, 1.0))
        achieved = round(achieved_sparsity(units, kept), 10)
        found.append({"algorithm": name, "kept": list(kept), "achieved_sparsity": achieved})
    return found


def _windows(args: argparse.Namespace, loaded: LoadedModel, split: str) -> Windows:
    """As many windows as the arena asks for, spread evenly; all where there are fewer."""
    windows = windows_of(args, loaded, split, args.task)
    wanted = min(getattr(definition(), f"{split}_windows"), windows.total_windows)
    return replace(windows, ids=windows.ids[spread(windows.total_windows, wanted)])


def _scored(judge: Judge, units: Sequence[Unit], path: Path, strategy: Json) -> Json:
    """One search: what it cost, its best at every mark of its budget, and its final strategy."""
    curve, found = read_curve(path.with_suffix(".curve.csv")), strategy["found"]
    searching = sum(row.tokens for row in curve)
    shares = definition().shares
    held = anytime(curve, units, strategy["target_sparsity"], [share * searching for share in shares])
    points = [
        {"share": share, "tokens": int(share * searching), "validation_ppl": judge.validation_ppl(kept)}
        for share, kept in zip(shares, held, strict=True)
        if kept is not None
    ]
    return {
        "algorithm": entrant_of(path),
        "found_by": found["algorithm"],
        "driver": found.get("driver"),
        "key": content_key(identity(strategy)),
        "evaluations": len(curve),
        "tokens": searching,
        "all_tokens": found["tokens"],
        "seconds_per_proposal": strategy["run"]["seconds_per_proposal"],
        "achieved_sparsity": strategy["achieved_sparsity"],
        "kept": kept_counts(strategy),
        "anytime": points,
        **judge.final(kept_counts(strategy)),
    }


def _pareto(judge: Judge, found: Sequence[tuple[Path, Json]], args: argparse.Namespace) -> list[Json]:
    """Other budgets' strategies from the effects that a surrogate search measured, beside uniform ones."""
    pareto = next((one.pareto for one in definition().settings if one.granularity == args.granularity), ())
    searches = [path for path, strategy in found if strategy["found"]["algorithm"] == SURROGATE]
    points = []
    for path in searches[:1]:
        table = read_table(path.with_suffix(".effects.json"))
        units = table_units(table)
        for sparsity in (one for one in pareto if one <= reach(table)):
            kept = solve(table, sparsity)
            uniform = uniform_kept(units, sparsity, args.granularity)
            points.append(
                {
                    "sparsity": sparsity,
                    "achieved_sparsity": round(achieved_sparsity(units, kept), 10),
                    "predicted_change": predicted(table, kept),
                    "test_ppl": judge.test_ppl(kept),
                    "uniform_test_ppl": judge.test_ppl(uniform),
                }
            )
    return points


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
