"""``study transfer``: perplexity of one model under its own strategy and under those of others."""

import argparse
import math
from pathlib import Path

from sparsitysolver.config.registry import SEARCHING, method
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.cells import perplexity_fingerprint
from sparsitysolver.evaluation.perplexity import perplexity, perplexity_stderr
from sparsitysolver.exchange.transferring import transferred
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.provenance import Clock
from sparsitysolver.pruning.strategy import kept_counts, read_strategy
from sparsitysolver.pruning.units import STRUCTURED, achieved_sparsity, check_sparsity, uniform_counts, units_of
from sparsitysolver.records.files import Json, content_key, identity, read_record, write_record
from sparsitysolver.search.engines import build_engine
from sparsitysolver.stages import common

OWN = "own"


def run(args: argparse.Namespace) -> None:
    """Score MODEL dense, uniformly pruned, and by every STRATEGY: its own as it is, others transferred to it.

    Nothing is pruned for good: the episode engine makes the model every candidate in turn.
    """
    clock = Clock()
    check_sparsity(args.sparsity)
    common.check_has_perplexity(args.task)
    loaded = common.open_dense(args, "strategies are for")
    candidates = _candidates(args, loaded)
    windows = common.windows_of(args, loaded, args.split, args.task, args.windows)
    tokens = common.tokens_of(windows)
    calibration, criterion = common.calibrated(args, method(SEARCHING), loaded), args.criterion or "l2"
    statistics = common.statistics_of(loaded, calibration, args.stats)
    engine = build_engine(loaded.adapter, statistics, STRUCTURED, criterion)
    for candidate in candidates:  # its perplexity (null where it is not finite), and mean losses in nats per token
        losses = engine.losses(candidate["kept"], tokens, windows.lead)
        ppl, stderr = perplexity(losses), perplexity_stderr(losses)
        finite = math.isfinite(ppl)
        candidate["ppl"] = {"value": ppl if finite else None, "stderr": stderr if finite else None, "n": len(losses)}
        candidate["windows"] = [round(float(loss), 8) for loss in losses] if finite else []
    record = common.head_of(args, loaded, calibration=args.seed) | {
        "granularity": STRUCTURED,
        "sparsity": args.sparsity,
        "criterion": criterion,
        "calibration": calibration.record(),
        "fingerprint": perplexity_fingerprint(loaded, windows),
        "scores": candidates,
    }
    write_record(args.out, record | {"run": clock.record()}, "transfer")
    for score in candidates:
        print(f"{loaded.source.name} by {score['strategy']}: perplexity {score['ppl']['value']}")


def _candidates(args: argparse.Namespace, loaded: LoadedModel) -> list[Json]:
    """What is scored: its name, what it is, and what it keeps of every unit.

    Raises:
        SparsitySolverError: two strategies of one model, or none of this one.
    """
    units = units_of(loaded.adapter.shape, STRUCTURED)
    strategies = [_strategy(Path(path), args, loaded) for path in args.strategies]
    names = [candidate["strategy"] for candidate in strategies]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or OWN not in [candidate["kind"] for candidate in strategies]:
        wrong = f"{twice[0]} has more than one" if twice else f"none is of {loaded.source.name} itself"
        raise SparsitySolverError(
            f"strategies of {', '.join(names)} given: {wrong}; one of every model, MODEL's own among them."
        )
    simple = {"dense": [unit.size for unit in units], "uniform": uniform_counts(units, args.sparsity)}
    candidates = [*({"strategy": name, "kind": name, "kept": kept} for name, kept in simple.items()), *strategies]
    for candidate in candidates:
        candidate["achieved_sparsity"] = round(achieved_sparsity(units, candidate["kept"]), 10)
    return candidates


def _strategy(path: Path, args: argparse.Namespace, loaded: LoadedModel) -> Json:
    """One strategy as a candidate: the model's own, checked, or another's, transferred."""
    strategy = read_record(path, "strategy")
    origin = {"strategy": strategy["model"]["name"], "key": content_key(identity(strategy))}
    origin["algorithm"] = strategy["found"]["algorithm"]
    units = units_of(loaded.adapter.shape, STRUCTURED)
    if strategy["model"]["weights_sha256"] == loaded.weights_sha256:
        read_strategy(path, units, loaded.weights_sha256, args.sparsity)
        return origin | {"kind": OWN, "kept": kept_counts(strategy)}
    if strategy["granularity"] != STRUCTURED or strategy["target_sparsity"] != args.sparsity:
        raise SparsitySolverError(
            f"strategy {path} is {strategy['granularity']} at sparsity {strategy['target_sparsity']}; structured ones "
            f"at {args.sparsity} are compared."
        )
    return origin | {
        "kind": "transferred",
        "kept": kept_counts(transferred(strategy, units, common.model_record(loaded))),
    }
