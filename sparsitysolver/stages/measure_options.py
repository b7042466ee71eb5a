"""Options of the stages that measure: ``bench inference`` and ``study reconstruction``. Nothing here imports torch."""

import argparse

from sparsitysolver.arguments import seed


def add_inference(parser: argparse.ArgumentParser) -> None:
    """Options of ``bench inference`` besides those of every model."""
    parser.add_argument("pruned", metavar="PRUNED", nargs="*", help="folders that prune wrote from MODEL")
    parser.add_argument("--batch", type=int, default=1, help="prompts at a time, all of one length (default: 1)")
    parser.add_argument("--prompt-tokens", type=int, default=64, help="tokens of each prompt (default: 64)")
    parser.add_argument("--new-tokens", type=int, default=64, help="tokens to generate for each (default: 64)")
    parser.add_argument("--rounds", type=int, default=10, help="times each model is measured (default: 10)")
    parser.add_argument("--seed", type=seed, default=0, help="of the prompts, which are random tokens")
    parser.add_argument("--out", help="record to write (.json)")
    parser.add_argument("--json", action="store_true", help="print the record on the last line")
    parser.set_defaults(stage="inference")


def add_reconstruction(parser: argparse.ArgumentParser) -> None:
    """Options of ``study reconstruction`` besides those of every model and its calibration."""
    parser.add_argument("--sparsity", type=float, default=0.3, help="default: 0.3, as in the paper's Figure 5")
    parser.add_argument("--samples", default="1,2,4,8,16,32,64,128", help="numbers of windows to reconstruct on")
    parser.add_argument("--strategy", help="structured strategy file (default: the same sparsity for every layer)")
    parser.add_argument("--stats", help="statistics file of calibrate for exactly the calibration windows")
    parser.add_argument(
        "--reconstruction-calibration", metavar="SOURCE", help="windows of reconstruction (default: the calibration's)"
    )
    parser.add_argument("--task", help="text to evaluate on (default: wikitext2; bundled models: mini)")
    parser.add_argument("--split", default="test", help="test (reported, default) or validation")
    parser.add_argument("--windows", type=int, help="so many windows, spread evenly (default: all)")
    parser.add_argument("--out", required=True, help="record to write (.json)")
    parser.add_argument("--json", action="store_true", help="print the record on the last line")
    parser.set_defaults(stage="reconstruction_study")


def add_transfer(parser: argparse.ArgumentParser) -> None:
    """Options of ``study transfer`` besides those of every model and its calibration."""
    parser.add_argument("strategies", metavar="STRATEGY", nargs="+", help="strategy files, the model's own among them")
    parser.add_argument("--sparsity", type=float, default=0.2, help="default: 0.2")
    parser.add_argument("--criterion", help="what ranks heads and neurons (default: l2)")
    parser.add_argument("--stats", help="statistics file of calibrate for exactly the calibration windows")
    parser.add_argument("--task", help="text to evaluate on (default: wikitext2; bundled models: mini)")
    parser.add_argument("--split", default="test", help="test (reported, default) or validation")
    parser.add_argument("--windows", type=int, help="so many windows, spread evenly (default: all)")
    parser.add_argument("--out", required=True, help="record to write (.json)")
    parser.set_defaults(stage="transfer_study")


def add_arena(parser: argparse.ArgumentParser) -> None:
    """Options of ``study arena`` besides those of every model and its calibration."""
    parser.add_argument("strategies", metavar="STRATEGY", nargs="+", help="strategies of one model, curves beside them")
    parser.add_argument("--granularity", default="structured", help="structured (default) or unstructured")
    parser.add_argument("--sparsity", type=float, required=True)
    parser.add_argument("--seed-index", type=seed, default=0, help="seed index that the searches share")
    parser.add_argument("--stats", help="statistics file of calibrate --granularity unstructured for these windows")
    parser.add_argument("--task", help="text to score on (default: wikitext2; bundled models: mini)")
    parser.add_argument("--out", required=True, help="record to write (.json)")
    parser.set_defaults(stage="arena_study")
