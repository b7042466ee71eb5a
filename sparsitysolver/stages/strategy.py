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
    """Write the strategy, or the table, of the subcommand asked for."""
    if args.what == "export":
        strategy = read_record(args.strategy, "strategy")
        write_table(strategy, args.out)
        print(f"{args.out}: {len(strategy['units'])} units of {strategy['model']['name']}")
        return
    strategy = {"import": _imported, "transfer": _transferred, "solve": _solved}[args.what](args)
    write_record(args.out, strategy, "strategy")
    achieved, target = strategy["achieved_sparsity"], strategy["target_sparsity"]
    off = args.what == "import" and abs(achieved - target) > TOLERANCE
    hint = "; whole items miss the target, --project meets it" if off else ""
    named = f"{len(strategy['units'])} units of {strategy['model']['name']}"
    print(f"{args.out}: {named}, sparsity {achieved:.4f} of {target}{hint}")


def _imported(args: argparse.Namespace) -> Json:
    """Another tool's FILE as a strategy for MODEL; of the model only its config is read."""
    sparsity, granularity = args.sparsity, args.granularity
    check_sparsity(sparsity)
    if args.levels < 1:
        raise SparsitySolverError(f"{args.levels} levels asked for; at least 1 is needed.")
    skeleton = load_skeleton(args.model, Assets.from_environment(args.assets))
    shape = skeleton.adapter.shape
    units = units_of(shape, granularity)
    names = Names(units, module_names(skeleton.adapter))
    densities = read_densities(
        args.file, names, granularity, sparsity, shape.hidden, args.format, args.means, args.levels
    )
    kept, projected = settle(units, densities, sparsity, granularity, args.project, args.file)
    found = {
        "algorithm": "import",
        "format": densities.format,
        "file": args.file.name,
        "file_sha256": file_sha256(args.file),
        "file_sparsity": round(densities.sparsity(units), 10),
        "projected": projected,
        **densities.facts,
    }
    seen = [unknown()]  # a file of ratios does not say what they were found on
    return make_strategy(units, kept, sparsity, skeleton.record, found, None, granularity=granularity, seen=seen)


def _transferred(args: argparse.Namespace) -> Json:
    """A STRATEGY of another model for MODEL, at its own sparsity or another."""
    if args.sparsity is not None:
        check_sparsity(args.sparsity)
    strategy = read_record(args.strategy, "strategy")
    skeleton = load_skeleton(args.model, Assets.from_environment(args.assets))
    units = units_of(skeleton.adapter.shape, strategy["granularity"])
    return transferred(strategy, units, skeleton.record, args.sparsity)


def _solved(args: argparse.Namespace) -> Json:
    """The strategy of any budget from the TABLE that a surrogate search measured, for no further evaluation."""
    return strategy_of(read_table(args.table), args.sparsity, file_sha256(args.table))
