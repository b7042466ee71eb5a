"""What pruning and searching cost beside a forward pass over the same tokens: processor seconds and peak memory.

    python benchmarks/methods.py MODEL --calibration windows.npy --out methods.json

Every row runs in a process of its own, forked from one that has loaded the model and its statistics, so rows disturb
neither each other nor their peaks; the forward pass, with the head and the loss of every token, stands in the same
run. Processor seconds do not depend on what else the machine does, as far as caches are not fought over.
"""

import argparse
import importlib
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import torch

from sparsitysolver.config.registry import method
from sparsitysolver.evaluation.perplexity import perplexity, window_losses
from sparsitysolver.models.loading import LoadedModel, load_model
from sparsitysolver.pruning.job import Job
from sparsitysolver.pruning.units import GRANULARITIES, STRUCTURED, UNSTRUCTURED
from sparsitysolver.records.files import Json, write_json
from sparsitysolver.search.algorithms import algorithm
from sparsitysolver.search.engines import build_engine
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.problem import Reward, perplexity_objective
from sparsitysolver.search.settings import DEFAULT_CRITERIA, SearchSettings
from sparsitysolver.search.solve import problem_of
from sparsitysolver.statistics.collect import ALL_TAPS, Statistics, collect

PRUNERS = ("uniform_recon", "flap", "slicegpt", "svd_llm", "wanda", "sparsegpt")
SEARCHES = ("surrogate", "fastforward")
SPARSITY = {STRUCTURED: 0.2, UNSTRUCTURED: 0.5}


def prune(name: str, loaded: LoadedModel, ids: np.ndarray, statistics: Statistics) -> int:
    """Prune by a method of ``methods.tsv``, its statistics given; returns the tokens it calibrates on."""
    row = method(name, None)
    granularity = row.granularity if row.granularity in GRANULARITIES else STRUCTURED
    job = Job(
        adapter=loaded.adapter,
        sparsity=SPARSITY[granularity],
        calibrate=lambda: statistics,
        ids=lambda: ids,
        reconstruction_ids=lambda: ids,
        granularity=granularity,
        criterion=DEFAULT_CRITERIA.get(granularity, "l2"),
        options=dict(pair.split("=", 1) for pair in row.options.split(",") if pair),
    )
    kept = importlib.import_module(f"baselines.{row.allocator}").allocate(job) if row.allocator else None
    importlib.import_module(f"baselines.{row.pruner}").prune(job, kept)
    return ids.size


def search(name: str, loaded: LoadedModel, windows: torch.Tensor, statistics: Statistics, episodes: int) -> int:
    """A structured search of so many evaluations of ``windows``; returns the tokens it evaluated."""
    settings = SearchSettings(algorithm=name, granularity=STRUCTURED, sparsity=0.2, episodes=episodes)
    engine = build_engine(loaded.adapter, statistics, STRUCTURED, DEFAULT_CRITERIA[STRUCTURED])
    dense = perplexity(window_losses(loaded.adapter, windows))

    def objective(_: LoadedModel, __: object, ___: object, count: int):  # noqa: ANN202
        part = windows[: count or len(windows)]
        return perplexity_objective(engine.losses, part, settings.reward, dense)

    problem = problem_of(loaded, engine, Reward(len(windows), objective, {}, []), replace(settings))
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "x.curve.csv", Path(folder) / "x.checkpoint", "benchmark")
        algorithm(name).run(problem, journal, episodes, seed=0)
        return journal.tokens


def measured(work: Callable[[], int]) -> Json:
    """Processor seconds and peak memory of some work in this process, and the tokens that it says it saw."""
    start = time.process_time()
    tokens = work()
    seconds, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"processor_seconds": seconds, "peak_memory_bytes": peak, "tokens": tokens}


def _in_child(work: Callable[[], int], connection: multiprocessing.connection.Connection) -> None:
    connection.send(measured(work))


def forked(work: Callable[[], int]) -> Json:
    """:func:`measured` in a process of its own, which begins with all that this one holds."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_in_child, args=(work, there))
    process.start()
    there.close()
    result = here.recv()
    process.join()
    return result


def main() -> None:
    """Measure what was asked for, one after the other, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="hub id, local folder, or key of config/models.tsv")
    parser.add_argument("--calibration", required=True, help=".npy of token ids (windows, seqlen)")
    parser.add_argument("--windows", type=int, default=8, help="of the calibration, to use")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--methods", nargs="*", default=PRUNERS)
    parser.add_argument("--searches", nargs="*", default=SEARCHES)
    parser.add_argument("--episodes", type=int, default=130, help="evaluations of a search")
    parser.add_argument("--reward-tokens", type=int, default=128, help="of each of two reward windows")
    parser.add_argument("--rounds", type=int, default=3, help="of the forward pass; the median counts")
    parser.add_argument("--out", required=True, help="file to write (.json)")
    args = parser.parse_args()
    torch.set_num_threads(1)  # forked processes must not share a pool, and processor seconds add up
    loaded = load_model(args.model, "cpu", args.dtype)
    ids = np.load(args.calibration)[: args.windows]
    tokens = torch.from_numpy(ids.astype(np.int64))

    def forward() -> int:
        window_losses(loaded.adapter, tokens)
        return ids.size

    def statistics() -> int:
        collect(loaded.adapter, ids, "model", "ids")
        return ids.size

    held = collect(loaded.adapter, ids, "model", "ids", ALL_TAPS)
    reward = tokens[:2, : args.reward_tokens]
    works: dict[str, Callable[[], int]] = {"statistics": statistics}
    works |= {name: lambda name=name: prune(name, loaded, ids, held) for name in args.methods}
    works |= {f"search: {n}": lambda n=n: search(n, loaded, reward, held, args.episodes) for n in args.searches}
    passes = [forked(forward) for _ in range(args.rounds)]
    a_token = median(one["processor_seconds"] for one in passes) / ids.size
    rows = {"forward": passes[0] | {"processor_seconds": a_token * ids.size}}
    print("| | processor seconds | ratio to a forward pass | peak memory, GB |\n|---|--:|--:|--:|", flush=True)
    for name in ["forward", *works]:
        row = rows[name] = rows.get(name) or forked(works[name])
        row["ratio"] = row["processor_seconds"] / (a_token * row["tokens"])
        values = f"{row['processor_seconds']:.1f} | {row['ratio']:.2f} | {row['peak_memory_bytes'] / 1e9:.2f}"
        print(f"| {name} | {values} |", flush=True)
    write_json(args.out, {"model": args.model, "dtype": args.dtype, "windows": list(ids.shape), "rows": rows})


if __name__ == "__main__":
    main()
