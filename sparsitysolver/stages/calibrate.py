"""``calibrate``: one pass of the dense model over the calibration windows, written as statistics."""

import argparse

from sparsitysolver.config.registry import method
from sparsitysolver.stages.common import calibrated, open_model, taps_of
from sparsitysolver.statistics.collect import collect, save_statistics


def run(args: argparse.Namespace) -> None:
    """Write ``--out``: sums, squares and, with ``--gram``, Gram matrices of the inputs that the granularity reads."""
    row = method(args.method, args.granularity)
    loaded = open_model(args)
    windows = calibrated(args, row, loaded)
    taps = taps_of(row.granularity)
    statistics = collect(loaded.adapter, windows.ids, loaded.model_sha256, windows.sha256, taps, args.gram)
    save_statistics(statistics, args.out)
    print(f"{args.out}: statistics of {statistics.tokens} tokens, key {statistics.key}")
