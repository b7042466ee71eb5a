"""``strategy``: strategies from and to the files of other tools, and from one model to another."""

import argparse

from sparsitysolver.config.assets import Assets
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.exchange.importing import TOLERANCE, read_densities, settle
from sparsitysolver.exchange.reading import Names, write_table
from sparsitysolver.exchange.transferring import transferred
from sparsitysolver.models.skeleton import load_skeleton, module_names
from sparsitysolver.pruning.effect_table import read_table, strategy_of
from sparsitysolver.pruning.strategy import make_strategy
from sparsitysolver.pruning.units import check_sparsity, units_of
from sparsitysolver.records.files import Json, file_sha256, read_record, write_record
from sparsitysolver.records.seen import unknown


def run(args: argparse.Namespace) -> None:
    """Run the subcommand asked for."""
    COMMANDS[args.what](args)


def import_strategy(args: argparse.Namespace) -> None:
    """Another tool's FILE as a strategy for MODEL; of the model only its config is read."""
    check_sparsity(args.sparsity)
    if args.levels < 1:
        raise SparsitySolverError(f"{args.levels} levels asked for; at least 1 is needed.")
    skeleton = load_skeleton(args.model, Assets.from_environment(args.assets))
    shape = skeleton.adapter.shape
    units = units_of(shape, args.granularity)
    names = Names(units, module_names(skeleton.adapter))
    densities = read_densities(
        args.file, names, args.granularity, args.sparsity, shape.hidden, args.format, args.means, args.levels
    )
    kept, projected = settle(units, densities, args.sparsity, args.granularity, args.project, args.file)
    found = {
        "algorithm": "import",
        "format": densities.format,
        "file": args.file.name,
        "file_sha256": file_sha256(args.file),
        "file_sparsity": round(densities.sparsity(units), 10),
        "projected": projected,
        **densities.facts,
    }
    model, granularity = skeleton.record, args.granularity
    seen = [unknown()]  # a file of ratios does not say what they were found on
    _write(args, make_strategy(units, kept, args.sparsity, model, found, None, granularity=granularity, seen=seen))


def transfer_strategy(args: argparse.Namespace) -> None:
    """A STRATEGY of another model for MODEL, at its own sparsity or another."""
    if args.sparsity is not None:
        check_sparsity(args.sparsity)
    strategy = read_record(args.strategy, "strategy")
    skeleton = load_skeleton(args.model, Assets.from_environment(args.assets))
    units = units_of(skeleton.adapter.shape, strategy["granularity"])
    _write(args, transferred(strategy, units, skeleton.record, args.sparsity))


def solve_strategy(args: argparse.Namespace) -> None:
    """The strategy of any budget from the TABLE that a surrogate search measured, for no further evaluation."""
    table = read_table(args.table)
    _write(args, strategy_of(table, args.sparsity, file_sha256(args.table)))


def export_strategy(args: argparse.Namespace) -> None:
    """A STRATEGY as a table that other tools, and ``import``, can read."""
    strategy = read_record(args.strategy, "strategy")
    write_table(strategy, args.out)
    print(f"{args.out}: {len(strategy['units'])} units of {strategy['model']['name']}")


def _write(args: argparse.Namespace, strategy: Json) -> None:
    write_record(args.out, strategy, "strategy")
    achieved, target = strategy["achieved_sparsity"], strategy["target_sparsity"]
    off = args.what == "import" and abs(achieved - target) > TOLERANCE
    hint = "; whole items miss the target, --project meets it" if off else ""
    print(
        f"{args.out}: {len(strategy['units'])} units of {strategy['model']['name']}, sparsity {achieved:.4f} of "
        f"{target}{hint}"
    )


COMMANDS = {
    "import": import_strategy,
    "transfer": transfer_strategy,
    "solve": solve_strategy,
    "export": export_strategy,
}
