"""What a search algorithm costs beyond the evaluations: seconds per episode where scoring a candidate costs nothing.

    python benchmarks/proposals.py --out proposals.json

Writes one row per algorithm and number of units, of a model with two units a layer. Episodes before ``--skip`` are not
timed: DDPG does not learn during its random episodes. Processor seconds do not depend on what else the machine does.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from sparsitysolver.pruning.budget import default_bounds, greedy
from sparsitysolver.pruning.units import FFN, MHA, Unit
from sparsitysolver.records.files import Json, write_json
from sparsitysolver.search.algorithms import ALGORITHMS, DRIVEN
from sparsitysolver.search.algorithms import algorithm as module_named
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.problem import Problem

SPARSITY = 0.2


class Free:
    """An objective that costs nothing and notes when it was asked."""

    tokens = 1
    setup_evaluations = 0

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self.asked: list[tuple[float, float]] = []  # (wall, processor) seconds

    def score(self, kept: Sequence[int]) -> tuple[float, float]:
        """(perplexity, reward) that fall with every removed item, the later ones more."""
        self.asked.append((time.perf_counter(), time.process_time()))
        ppl = 10 + sum(index * (1 - count / size) for index, (count, size) in enumerate(zip(kept, self._sizes)))
        return ppl, 10 / ppl


def problem_of(units: int) -> tuple[Problem, Free]:
    """A problem of so many units in the shape of LLaMA-7B: 32 heads and 11,008 neurons a layer."""
    chosen = []
    for layer in range(units // 2):
        chosen.append(Unit(f"layers.{layer}.mha", MHA, layer, 32, 2_097_152))
        chosen.append(Unit(f"layers.{layer}.ffn", FFN, layer, 11008, 12288))
    objective = Free([unit.size for unit in chosen])
    return Problem(chosen, SPARSITY, default_bounds(SPARSITY), greedy, objective), objective


def measure(algorithm: str, units: int, episodes: int, skip: int) -> Json:
    """Seconds per proposal of one algorithm, from one call of the objective to the next."""
    problem, objective = problem_of(units)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "x.curve.csv", Path(folder) / "x.checkpoint", "proposals")
        module_named(algorithm).run(problem, journal, episodes, seed=0)
        checkpoint = journal.checkpoint.stat().st_size
        start = time.perf_counter()
        journal.save(torch.load(journal.checkpoint, weights_only=True)["state"])
        saving = time.perf_counter() - start
    timed = len(objective.asked) - skip - 1
    wall, processor = ((last - first) / timed for first, last in zip(objective.asked[skip], objective.asked[-1]))
    return {
        "algorithm": algorithm,
        "units": units,
        "episodes": timed,
        "seconds_per_proposal": wall,
        "processor_seconds_per_proposal": processor,
        "checkpoint_bytes": checkpoint,
        "checkpoint_seconds": saving,
    }


def main() -> None:
    """Measure what was asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    timed = [name for name in ALGORITHMS if name not in DRIVEN]  # a chat model's time is its own
    parser.add_argument("--algorithms", nargs="+", default=timed, choices=timed)
    parser.add_argument("--units", nargs="+", type=int, default=[20, 64])
    parser.add_argument("--episodes", type=int, default=120)
    parser.add_argument("--skip", type=int, default=44)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", required=True, help="file to write (.json)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = [
        measure(algorithm, units, args.episodes, args.skip) for units in args.units for algorithm in args.algorithms
    ]
    write_json(args.out, {"threads": args.threads, "rows": rows})


if __name__ == "__main__":
    main()
