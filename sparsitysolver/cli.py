"""The command line ``sparsitysolver``: one subcommand a stage. Nothing heavy is imported before a stage runs."""

import argparse
import errno
import importlib
import os
import sys

from sparsitysolver import preload
from sparsitysolver.arguments import Parser, seed
from sparsitysolver.devices import claim, cores_here
from sparsitysolver.errors import SparsitySolverError, is_out_of_memory, report_error
from sparsitysolver.stages import chat_options, measure_options

EXIT_INTERRUPTED = 130
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.ENOTDIR})


def main(argv: list[str] | None = None) -> int:
    """Parse, set the process up, run the stage; returns the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        args = build_parser().parse_args(argv)
    except SparsitySolverError as error:
        return report_error("sparsitysolver", error)
    if hasattr(args, "threads"):  # a stage that loads models
        status = preload.forward(argv)
        if status is not None:
            return status
    try:
        _prepare(args)
        return importlib.import_module(f"sparsitysolver.stages.{args.stage}").run(args) or 0
    except SparsitySolverError as error:
        return report_error("sparsitysolver", error)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last checkpoint, if there is one", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            return report_error(
                "sparsitysolver",
                f"out of memory in stage '{args.stage}': {str(error).splitlines()[0][:200] if str(error) else ''} "
                "Lower --nsamples, --seqlen, --reward-windows or --batch-size, take a smaller --dtype, or a larger "
                "machine.",
            )
        raise
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        return report_error(
            "sparsitysolver", f"stage '{args.stage}' cannot write {error.filename or 'a file'}: {error.strerror}."
        )


def _prepare(args: argparse.Namespace) -> None:
    """Quiet libraries, a GPU of one's own, and the number of threads from the options (never from the cores)."""
    for name, value in preload.QUIET.items():
        os.environ.setdefault(name, value)
    if not hasattr(args, "threads"):
        return
    if args.threads < 1:
        raise SparsitySolverError(f"{args.threads} threads asked for; at least 1 is needed.")
    if args.device != "cpu":
        claim(args.gpus)
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(args.threads)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = Parser(prog="sparsitysolver", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, stage, add, text in (
        ("sample", "sample", _sample, "draw calibration windows and write their token ids"),
        ("calibrate", "calibrate", _calibrate, "one pass over the calibration windows: activation statistics"),
        ("search", "search", _search, "search how much of each unit to keep"),
        ("strategy", "strategy", _strategy, "strategies from and to other tools' files, and from one model to another"),
        ("prune", "prune", _prune, "prune a model and write it as a folder that is again a model"),
        ("evaluate", "evaluate", _evaluate, "perplexity or zero-shot accuracy of a dense or pruned model"),
        ("bench", "bench", _bench, "measure what an episode costs, and how fast pruned models are"),
        ("study", "reconstruction_study", _study, "what a component of the method is worth"),
        ("preflight", "preflight", _preflight, "dense perplexity against the registry of published values"),
        ("assets", "assets", _assets, "fill an assets folder for machines without network"),
        ("report", "report", _report, "collect cells, write tables and documents (no torch)"),
        ("audit", "audit", _audit, "check the arithmetic of published tables; exit status 0 whether or not it flags"),
        ("export", "export", _export, "pack results, provenance and configuration into one file (no torch)"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(stage=stage)
        add(command)
    return parser


def _model(parser: argparse.ArgumentParser, windows: bool = True) -> None:
    parser.add_argument("model", metavar="MODEL", help="hub id, local folder, or key of config/models.tsv")
    parser.add_argument("--assets", help="assets folder in place of the hub (default: SPARSITYSOLVER_ASSETS)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N (default: auto)")
    parser.add_argument("--dtype", default="auto", help="auto, float32, float16, bfloat16")
    threads = os.environ.get("SPARSITYSOLVER_THREADS") or str(cores_here())
    parser.add_argument("--threads", type=int, default=threads, help=f"torch threads (default: all cores, {threads})")
    parser.add_argument("--gpus", type=int, default=1, help="GPUs to lock for this job (default: 1)")
    if windows:
        parser.add_argument("--seqlen", type=int, help="window length in tokens (default: 2048 or the model's maximum)")


def _calibration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibration",
        metavar="SOURCE",
        help="wikitext2, c4, mini, a zero-shot task, a file of text or documents, or a .npy of ids",
    )
    parser.add_argument(
        "--items", default="search", help="part of a task's items to calibrate or search on: search, or report (leaky)"
    )
    parser.add_argument("--nsamples", type=int, help="calibration windows (default: the method's own)")
    parser.add_argument("--seed", type=seed, default=0)


def _sample(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _calibration(parser)
    parser.set_defaults(nsamples=64)
    parser.add_argument("--sampler", default="gptq", help="gptq, slicegpt, svd_llm or svd_llm_update (default: gptq)")
    parser.add_argument("--out", required=True, help="file to write (.npy)")


def _calibrate(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _calibration(parser)
    parser.add_argument("--method", default="sparsitysolver", help="method whose default calibration is taken")
    _granularity(parser)
    parser.add_argument("--out", required=True, help="file to write (.safetensors)")


def _granularity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--granularity", help="structured or unstructured (default: the method's own; structured)")


def _search_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--algorithm", default="ppo", help="how to search (default: ppo, the paper's; see docs/searches.md)"
    )
    _granularity(parser)
    parser.add_argument("--episodes", type=int, default=3000, help="evaluations, or their worth in tokens")
    parser.add_argument(
        "--criterion",
        help="structured: l2 (default), wanda_sp, fluctuation, magnitude; unstructured: wanda (default), magnitude",
    )
    parser.add_argument("--reward", default="inverse_ppl", help="inverse_ppl, dense_ratio, or accuracy on --task")
    parser.add_argument("--reward-split", default="validation", help="validation, train, or test (leaky, flagged)")
    parser.add_argument("--reward-windows", type=int, default=8, help="windows per episode, 0 for all (default: 8)")
    parser.add_argument("--budget", help="greedy (Algorithm 1; default of ppo) or projection (exact; others)")
    parser.add_argument("--a-min", type=float, help="least preserved ratio (default: 2(1-P) - a_max - 0.1, or 0)")
    parser.add_argument("--a-max", type=float, help="greatest preserved ratio (default: 1; unstructured: by sparsity)")
    parser.add_argument("--literal", action="store_true", help="line 1 of Algorithm 1 exactly as printed")
    parser.add_argument("--text", help="text of the reward windows (default: wikitext2; bundled models: mini)")
    parser.add_argument("--task", help="zero-shot task: its accuracy is the reward, or its text reconstructed on")
    parser.add_argument("--reward-items", type=int, default=64, help="items of the task per episode, 0 for all")
    parser.add_argument("--stats", help="statistics file of calibrate for exactly these calibration windows")


def _search(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _calibration(parser)
    _search_options(parser)
    parser.add_argument("--sparsity", "--sparsity_ratio", type=float, required=True)
    parser.add_argument("--warm-start", metavar="AGENT", help="agent (.agent) of another search to start from")
    chat_options.add_arguments(parser)
    parser.add_argument("--out", required=True, help="strategy to write (.json); curve and agent go beside it")


def _prune(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _calibration(parser)
    _search_options(parser)
    parser.add_argument("--method", "--prune_method", required=True, help="key of config/methods.tsv")
    parser.add_argument("--sparsity", "--sparsity_ratio", type=float, help="default: 0.2, or what --pattern gives")
    parser.add_argument("--pattern", "--sparsity_type", help="N:M, such as 2:4 (magnitude, wanda, sparsegpt)")
    parser.add_argument("--out", "--save", required=True, help="folder to write")
    parser.add_argument("--strategy", help="strategy file for methods with an allocation")
    parser.add_argument("--format", choices=("sliced", "padded"), default="sliced")
    parser.add_argument(
        "--reconstruction-calibration", metavar="SOURCE", help="windows of reconstruction; a task's own text too"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="option of the method")
    parser.add_argument("--seed-index", type=seed, default=0, help="seed index recorded in the cell")
    parser.add_argument(
        "--allow-skip",
        action="store_true",
        help="where the method does not support the model, write the reason for a cell of a grid (default: an error)",
    )


def _evaluate(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    parser.add_argument("--task", default="wikitext2", help="key of config/tasks.tsv, or a file of text or documents")
    parser.add_argument("--split", help="of a text: test (reported, default) or validation")
    parser.add_argument("--windows", type=int, help="of a text: so many windows, spread evenly (default: all)")
    parser.add_argument("--items", help="of a zero-shot task: report (in tables, default), search or all")
    parser.add_argument("--limit", type=int, help="of a zero-shot task: so many items, spread evenly (default: all)")
    parser.add_argument("--batch-size", type=int, help="of a zero-shot task: requests at a time (default: 8)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--out", help="cell file to write")


def _bench(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    episode = what.add_parser("episode", help="an episode against the pruned and the dense forward pass")
    _model(episode)
    _calibration(episode)
    _search_options(episode)
    episode.add_argument("--sparsity", type=float, help="default: 0.2, unstructured 0.5")
    episode.add_argument("--rounds", type=int, default=6, help="updates of 15 episodes to time (default: 6)")
    episode.add_argument("--json", action="store_true")
    inference = what.add_parser("inference", help="prefill, decode and memory of pruned models against the dense one")
    _model(inference, windows=False)
    measure_options.add_inference(inference)


def _study(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    reconstruction = what.add_parser("reconstruction", help="perplexity by number of reconstruction samples and module")
    _model(reconstruction)
    _calibration(reconstruction)
    measure_options.add_reconstruction(reconstruction)
    transfer = what.add_parser("transfer", help="perplexity of a model under the strategies of others")
    _model(transfer)
    _calibration(transfer)
    measure_options.add_transfer(transfer)
    arena = what.add_parser("arena", help="all searches of one problem on the same windows")
    _model(arena)
    _calibration(arena)
    measure_options.add_arena(arena)


def _strategy(parser: argparse.ArgumentParser) -> None:
    from sparsitysolver.stages.strategy_options import add_arguments

    add_arguments(parser)


def _preflight(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    parser.add_argument("--task", help="wikitext2 or mini (default: the model's own)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cell", help="cell of the dense model to take the perplexity from instead of measuring it")
    parser.add_argument("--out", help="file to write where nothing is off (.json)")


def _assets(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    download = what.add_parser("download", help="fetch a grid's models and texts from the hub")
    download.add_argument("--grid", default="opt125m")
    download.add_argument("--to", required=True, metavar="DIR")


def _report(parser: argparse.ArgumentParser) -> None:
    from sparsitysolver.stages.report import add_arguments

    add_arguments(parser)


def _audit(parser: argparse.ArgumentParser) -> None:
    from sparsitysolver.stages.audit import add_arguments

    add_arguments(parser)


def _export(parser: argparse.ArgumentParser) -> None:
    from sparsitysolver.stages.export import add_arguments

    add_arguments(parser)


if __name__ == "__main__":
    sys.exit(main())
