"""The command line ``sparsitysolver``: one subcommand a stage. Nothing heavy is imported before a stage runs."""

import argparse
import errno
import os
import sys

from sparsitysolver import preload
from sparsitysolver.commands import COMMANDS, GROUPS
from sparsitysolver.devices import claim
from sparsitysolver.errors import SparsitySolverError, is_out_of_memory, report_error
from sparsitysolver.extras import missing_extra
from sparsitysolver.options import Parser, add_commands

EXIT_INTERRUPTED = 130
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.ENOTDIR})


def main(argv: list[str] | None = None) -> int:
    """Parse, set the process up, run the stage; returns the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        args = build_parser().parse_args(argv)
        if hasattr(args, "threads"):  # a stage that loads models
            status = preload.forward(argv)
            if status is not None:
                return status
        _prepare(args)
        return args.chosen.run(args)
    except SparsitySolverError as error:
        return report_error("sparsitysolver", error)
    except ModuleNotFoundError as error:
        if not missing_extra(error):
            raise
        return report_error("sparsitysolver", missing_extra(error))
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last checkpoint, if there is one", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        said = str(error).splitlines()[0][:200] if str(error) else ""
        return report_error(
            "sparsitysolver",
            f"out of memory in stage '{args.path}': {said} Lower --nsamples, --seqlen, --reward-windows or "
            "--batch-size, take a smaller --dtype, or a larger machine.",
        )
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        where = error.filename or "a file"
        return report_error("sparsitysolver", f"stage '{args.path}' cannot write {where}: {error.strerror}.")


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
    add_commands(parser, GROUPS, COMMANDS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
