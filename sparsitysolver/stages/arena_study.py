"""``study arena``: every search of one problem on the same validation and test windows."""

import argparse
import functools
import importlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sparsitysolver.config.arena import definition
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
from sparsitysolver.pruning.units import UNSTRUCTURED, Unit, achieved_sparsity, check_sparsity, uniform_kept, units_of
from sparsitysolver.records.files import Json, content_key, identity, write_record
from sparsitysolver.search.engines import Engine, build_engine
from sparsitysolver.search.journal import anytime, read_curve
from sparsitysolver.search.settings import DEFAULT_CRITERIA
from sparsitysolver.stages.common import calibrated, head_of, no_ids, open_dense, statistics_of, tokens_of, windows_of
from sparsitysolver.statistics.collect import Statistics

UNIFORM, SURROGATE = "uniform", "surrogate"
VALIDATION, TEST = "validation", "test"
Found = Sequence[tuple[Path, Json]]  # strategies by path


class Judge:
    """Scores kept counts on fixed windows of two splits, each candidate once."""

    def __init__(self, engine: Engine, windows: dict[str, Windows]) -> None:
        tokens = {split: tokens_of(of_split) for split, of_split in windows.items()}
        self._losses = functools.cache(lambda split, kept: engine.losses(kept, tokens[split], windows[split].lead))

    def ppl(self, split: str, kept: Sequence[int]) -> float | None:
        """Perplexity, None where it is not finite."""
        value = float(perplexity(self._losses(split, tuple(kept))))
        return value if math.isfinite(value) else None

    def final(self, kept: Sequence[int]) -> Json:
        """Both perplexities of a final strategy, and the test windows' mean losses (nats per token)."""
        ppl, losses = self.ppl(TEST, kept), self._losses(TEST, tuple(kept))
        rounded = [round(float(loss), 8) for loss in losses] if ppl is not None else []
        return {"validation_ppl": self.ppl(VALIDATION, kept), "test_ppl": ppl, "test_losses": rounded}


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
    lines = [*_lines(args, loaded, statistics, units)]
    windows = {split: _windows(args, loaded, split) for split in (VALIDATION, TEST)}
    criterion = _criterion(found)
    judge = Judge(build_engine(loaded.adapter, statistics, args.granularity, criterion), windows)
    record = head_of(args, loaded, index=args.seed_index) | {
        "granularity": args.granularity,
        "sparsity": args.sparsity,
        "seed": args.seed_index,
        "criterion": criterion,
        "calibration": calibration.record(),
        "fingerprints": {split: perplexity_fingerprint(loaded, of_split) for split, of_split in windows.items()},
        "dense": judge.final([unit.size for unit in units]),
        "lines": [line | judge.final(line["kept"]) for line in lines],
        "searches": [_scored(judge, units, path, strategy) for path, strategy in tqdm(found, desc="score")],
        "pareto": [*_pareto(judge, found, args.granularity)],
    }
    write_record(args.out, record | {"run": clock.record()}, "arena")
    for scored in sorted(record["searches"], key=lambda one: one["test_ppl"] or math.inf):
        print(f"{scored['algorithm']}: test perplexity {scored['test_ppl']}, {scored['tokens']} tokens")


def _criterion(found: Found) -> str:
    """What ranks the items of a unit: the same in all searches, or they did not search the same models."""
    criteria = {strategy["found"]["criterion"]: path for path, strategy in found}
    if len(criteria) > 1:
        named = ", ".join(f"{path} by {name}" for name, path in criteria.items())
        raise SparsitySolverError(f"the searches rank items by different criteria: {named}; one arena has one.")
    return next(iter(criteria))


def _lines(
    args: argparse.Namespace, loaded: LoadedModel, statistics: Statistics, units: Sequence[Unit]
) -> Iterator[Json]:
    """Allocations without a search, put on the budget; uniform is that of the tables."""
    for name, line in definition().lines.items():
        if name == UNIFORM:
            kept = uniform_kept(units, args.sparsity, args.granularity)
        else:
            job = Job(
                loaded.adapter,
                args.sparsity,
                calibrate=lambda: statistics,
                ids=no_ids,
                reconstruction_ids=no_ids,
                granularity=args.granularity,
                criterion=DEFAULT_CRITERIA[UNSTRUCTURED],  # what OWL compares layers by
                options={key: str(value) for key, value in line.options.items()},
            )
            ratios = np.array(importlib.import_module(f"baselines.{name}").allocate(job)) / [u.size for u in units]
            kept = projection(ratios, units, args.sparsity, Bounds(0.0, 1.0))
        achieved = round(achieved_sparsity(units, kept), 10)
        yield {"algorithm": name, "kept": list(kept), "achieved_sparsity": achieved}


def _windows(args: argparse.Namespace, loaded: LoadedModel, split: str) -> Windows:
    """As many windows as the arena asks for, spread evenly; all where there are fewer."""
    windows = windows_of(args, loaded, split, args.task)
    wanted = min(getattr(definition(), f"{split}_windows"), windows.total_windows)
    return replace(windows, ids=windows.ids[spread(windows.total_windows, wanted)])


def _scored(judge: Judge, units: Sequence[Unit], path: Path, strategy: Json) -> Json:
    """One search: what it cost, its best at every mark of its budget, and its final strategy."""
    curve, found, shares = read_curve(path.with_suffix(".curve.csv")), strategy["found"], definition().shares
    searching, kept = sum(row.tokens for row in curve), kept_counts(strategy)
    held = anytime(curve, units, strategy["target_sparsity"], [share * searching for share in shares])
    points = [
        {"share": share, "tokens": int(share * searching), "validation_ppl": judge.ppl(VALIDATION, best)}
        for share, best in zip(shares, held, strict=True)
        if best is not None
    ]
    return {
        "algorithm": path.absolute().parent.name,  # a folder for each entrant
        "found_by": found["algorithm"],
        "driver": found.get("driver"),
        "key": content_key(identity(strategy)),
        "evaluations": len(curve),
        "tokens": searching,
        "all_tokens": found["tokens"],
        "seconds_per_proposal": strategy["run"]["seconds_per_proposal"],
        "achieved_sparsity": strategy["achieved_sparsity"],
        "kept": kept,
        "anytime": points,
        **judge.final(kept),
    }


def _pareto(judge: Judge, found: Found, granularity: str) -> Iterator[Json]:
    """Other budgets' strategies from the effects that a surrogate search measured, beside uniform ones."""
    pareto = next((one.pareto for one in definition().settings if one.granularity == granularity), ())
    searches = [path for path, strategy in found if strategy["found"]["algorithm"] == SURROGATE]
    for path in searches[:1]:
        table = read_table(path.with_suffix(".effects.json"))
        units = table_units(table)
        for sparsity in (one for one in pareto if one <= reach(table)):
            kept = solve(table, sparsity)
            yield {
                "sparsity": sparsity,
                "achieved_sparsity": round(achieved_sparsity(units, kept), 10),
                "predicted_change": predicted(table, kept),
                "test_ppl": judge.ppl(TEST, kept),
                "uniform_test_ppl": judge.ppl(TEST, uniform_kept(units, sparsity, granularity)),
            }
