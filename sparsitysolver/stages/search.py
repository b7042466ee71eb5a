"""``search``: find a strategy."""

import argparse
from pathlib import Path

from tqdm import tqdm

from sparsitysolver.data.sources import load_text
from sparsitysolver.data.windows import cut_windows
from sparsitysolver.provenance import Clock, provenance
from sparsitysolver.pruning.selection import score_units
from sparsitysolver.records import write_record
from sparsitysolver.registry import method
from sparsitysolver.search.solve import settings_from, solve
from sparsitysolver.stages.common import assets_of, calibration_of, draw, home_text, open_model, statistics_of


def run(args: argparse.Namespace) -> None:
    """Write the strategy to ``--out``, the curve beside it; a checkpoint makes the same command go on after a stop."""
    clock = Clock()
    settings, row, out = settings_from(vars(args)), method("sparsitysolver"), Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    assets, loaded = assets_of(args), open_model(args)
    windows = draw(calibration_of(args, row, loaded), loaded, assets)
    selection = score_units(loaded.adapter, statistics_of(loaded, windows, args.stats), args.criterion)
    text = load_text(args.text or home_text(loaded.source), settings.reward_split, assets)
    reward = cut_windows(text, loaded.tokenizer, loaded.seqlen(args.seqlen))
    strategy = solve(loaded, selection, windows.record(), reward, settings, out, tqdm.write)
    strategy["run"] |= clock.record() | provenance(loaded.device, args.threads, {"search": settings.seed})
    write_record(out, strategy, "strategy")
    out.with_suffix(".checkpoint").unlink(missing_ok=True)
    best = next(c for c in strategy["found"]["candidates"] if c["name"] == strategy["found"]["chosen"])
    print(
        f"{out}: {best['name']}, perplexity {best['rescored_ppl']:.4f} on {settings.reward_split} windows, "
        f"sparsity {strategy['achieved_sparsity']:.4f}"
    )
