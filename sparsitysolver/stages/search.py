"""``search``: find a strategy."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from sparsitysolver.config.registry import SEARCHING, method
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.provenance import Clock, provenance
from sparsitysolver.records.files import write_record
from sparsitysolver.search.agents import load_agent
from sparsitysolver.search.algorithms import DRIVEN
from sparsitysolver.search.settings import SearchSettings
from sparsitysolver.search.solve import solve
from sparsitysolver.stages.common import calibrated, open_model, statistics_of
from sparsitysolver.stages.reward import reward_of

if TYPE_CHECKING:
    from sparsitysolver.chat.conversation import Chat


def run(args: argparse.Namespace) -> None:
    """Write the strategy to ``--out``, curve, agent and conversation beside it; after a stop the command goes on."""
    clock = Clock()
    settings, out = SearchSettings.from_options(vars(args)), Path(args.out)
    row = method(SEARCHING, settings.granularity)
    start = load_agent(args.warm_start) if args.warm_start else None
    if start is not None:
        start.check_kind(settings.algorithm, settings.granularity)
    driver = _driver(args, settings, out)
    out.parent.mkdir(parents=True, exist_ok=True)
    loaded = open_model(args)
    windows = calibrated(args, row, loaded)
    reward = reward_of(args, settings, loaded)  # a text that the model cannot read is told before anything is computed
    statistics = statistics_of(loaded, windows, args.stats, settings.granularity)
    strategy = solve(loaded, statistics, windows.record(), reward, settings, out, tqdm.write, start, driver)
    strategy["run"] |= clock.record() | provenance(loaded.device, args.threads, {"search": settings.seed})
    write_record(out, strategy, "strategy")
    out.with_suffix(".checkpoint").unlink(missing_ok=True)
    found = strategy["found"]
    best = next(candidate for candidate in found["candidates"] if candidate["name"] == found["chosen"])
    ppl, accuracy = best["rescored_ppl"], best["rescored_reward"]
    result = f"accuracy {accuracy:.4f} on {settings.task}" if ppl is None else f"perplexity {ppl:.4f}"
    print(f"{out}: {best['name']}, {result} when scored again, sparsity {strategy['achieved_sparsity']:.4f}")


def _driver(args: argparse.Namespace, settings: SearchSettings, out: Path) -> "Chat | None":
    """Who answers the prompts of the algorithm; None where it asks nobody, and then no option of a chat is taken."""
    options = ("chat_url", "chat_model", "replay", "chat_set")
    given = ", ".join(f"--{name.replace('_', '-')}" for name in options if getattr(args, name))
    if settings.algorithm in DRIVEN:
        from sparsitysolver.stages.driver import driver_of  # with an HTTP client that no other search needs

        return driver_of(args, given, out, tqdm.write)
    if given:
        raise SparsitySolverError(
            f"algorithm '{settings.algorithm}' asks no chat model: leave out {given}, or take --algorithm "
            f"{' or '.join(sorted(DRIVEN))}."
        )
    return None
