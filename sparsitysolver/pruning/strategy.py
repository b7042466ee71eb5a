"""Strategies: how much of each unit to keep, as a record of its own, apart from any weights (no torch)."""

from collections.abc import Sequence
from pathlib import Path

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.pruning.units import STRUCTURED, Unit, achieved_sparsity
from sparsitysolver.records.files import Json, read_record
from sparsitysolver.records.seen import Seen

FORMAT = 1


def make_strategy(
    units: Sequence[Unit],
    kept: Sequence[float],
    sparsity: float,
    model: Json,
    found: Json,
    seed: int | None,
    run: Json | None = None,
    granularity: str = STRUCTURED,
    *,
    seen: Seen,
) -> Json:
    """The strategy record of kept counts; ``found`` says how they came about, ``seen`` what that has seen.

    Counts are whole in every strategy that is written as a file; in cells of methods that take a matrix's sparsity
    itself they are columns' worth.
    """
    return {
        "format": FORMAT,
        "model": model,
        "granularity": granularity,
        "target_sparsity": sparsity,
        "achieved_sparsity": round(achieved_sparsity(units, kept), 10),
        "units": [
            {
                "name": unit.name,
                "kind": unit.kind,
                "size": unit.size,
                "kept": int(count) if count == int(count) else float(count),
                "ratio": round(count / unit.size, 10),
            }
            for unit, count in zip(units, kept, strict=True)
        ],
        "found": found,
        "seen": seen,
        "seed": seed,
        **({} if run is None else {"run": run}),
    }


def read_strategy(
    path: str | Path, units: Sequence[Unit], weights_sha256: str, sparsity: float | None, granularity: str = STRUCTURED
) -> Json:
    """Read a strategy and check that it was made for this model (units, sizes, weights), granularity and sparsity."""
    strategy = read_record(path, "strategy")
    other_model = f"strategy {path} was made for another model ({strategy['model']['name']})"
    if strategy["granularity"] != granularity:
        raise SparsitySolverError(
            f"strategy {path} is {strategy['granularity']}, and this method prunes {granularity}; take a method of the "
            f"same granularity, or give --granularity {strategy['granularity']}."
        )
    found = [(unit["name"], unit["size"]) for unit in strategy["units"]]
    wanted = [(unit.name, unit.size) for unit in units]
    if found != wanted:
        difference = next((f, w) for f, w in zip([*found, None], [*wanted, None], strict=False) if f != w)
        raise SparsitySolverError(
            f"{other_model}: {len(found)} units found, {len(wanted)} needed; first difference: {difference[0]} found, "
            f"{difference[1]} needed."
        )
    if strategy["model"]["weights_sha256"] != weights_sha256:
        raise SparsitySolverError(
            f"{other_model}: same shape, but weights {strategy['model']['weights_sha256'][:12]} found, "
            f"{weights_sha256[:12]} needed."
        )
    over = [unit["name"] for unit in strategy["units"] if unit["kept"] > unit["size"]]
    if over:
        raise SparsitySolverError(f"strategy {path} keeps more than there is in {', '.join(over)}.")
    if sparsity is not None and abs(strategy["target_sparsity"] - sparsity) > 1e-9:
        raise SparsitySolverError(
            f"strategy {path} was made for sparsity {strategy['target_sparsity']}, not for {sparsity}."
        )
    return strategy


def kept_counts(strategy: Json) -> list[int]:
    """Kept items of every unit, in order."""
    return [unit["kept"] for unit in strategy["units"]]
