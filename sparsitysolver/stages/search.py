"""``search``: find a strategy."""

import argparse
from pathlib import Path

from tqdm import tqdm

from sparsitysolver.config.registry import SEARCHING, method
from sparsitysolver.provenance import Clock, provenance
from sparsitysolver.records.files import write_record
from sparsitysolver.search.agents import load_agent
from sparsitysolver.search.settings import SearchSettings
from sparsitysolver.search.solve import solve
from sparsitysolver.stages.common import assets_of, calibration_of, draw, open_model, statistics_of
from sparsitysolver.stages.driver import driver_of
from sparsitysolver.stages.reward import reward_of


def run(args: argparse.Namespace) -> None:
    """Write the strategy to ``--out``, curve, agent and conversation beside it; after a stop the command goes on."""
    clock = Clock()
    settings, out = SearchSettings.from_options(vars(args)), Path(args.out)
    row = method(SEARCHING, settings.granularity)
    start = load_agent(args.warm_start) if args.warm_start else None
    if start is not None:
        start.check_kind(settings.algorithm, settings.granularity)
    driver = driver_of(args, settings, out, tqdm.write)
    out.parent.mkdir(parents=True, exist_ok=True)
    assets, loaded = assets_of(args), open_model(args)
    windows = draw(calibration_of(args, row, loaded), loaded, assets)
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
