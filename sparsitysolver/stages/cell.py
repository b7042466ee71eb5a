"""``cell``: prune a model and evaluate it, where nothing else needs the pruned model."""

import argparse
import gc
import shutil
from pathlib import Path

from sparsitysolver.stages import evaluate, prune


def run(args: argparse.Namespace) -> None:
    """Prune MODEL and write its cell on ``--on``: what ``prune`` and then ``evaluate`` would write.

    The pruned model lies beside the cell meanwhile: what is evaluated is what was saved and loaded again.
    """
    evaluate.kind_of(args.on)  # a task that is none is told before anything is pruned
    folder = Path(f"{args.out}.pruned")
    shutil.rmtree(folder, ignore_errors=True)  # of a job that was killed
    try:
        prune.run(argparse.Namespace(**vars(args) | {"out": str(folder)}))
        gc.collect()  # the dense model, before the pruned one is loaded
        asked = {"task": args.on, "items": args.part, "batch_size": None, "json": False}
        evaluate.run(argparse.Namespace(**vars(args) | asked | {"model": str(folder)}))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
