"""Entries of tables from collected rows: cells, and for rows with a quantity (paper, table 6) curves of searches."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from sparsitysolver.config.tables import Column, Row
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.episodes import episode_seconds, episodes_to
from sparsitysolver.reporting.compare.comparability import DENSE, Measurement
from sparsitysolver.reporting.compare.verdicts import printed_scale
from sparsitysolver.reporting.tables.entries import DECIMALS, Entry, Tuning

_TOLERANCE = 1e-9  # of sparsities, which went through text
# Of the curve of a search: what the row shows, and its decimals.
QUANTITIES: dict[str, tuple[Callable[[pd.DataFrame], float | None], int]] = {
    "episodes_needed": (lambda curve: episodes_to(curve["ppl"].tolist()), 0),
    "episodes": (len, 0),
    "episode_seconds": (lambda curve: episode_seconds(curve["seconds"].tolist()), DECIMALS),
}


def sparsity_of(row: Row, column: Column) -> float:
    """The target sparsity behind an entry: the dense model has none, a row may have its own."""
    own = 0.0 if row.method == DENSE else row.sparsity
    return column.sparsity if own is None else own


def rows_of(frame: pd.DataFrame, row: Row, column: Column, **axes: str) -> pd.DataFrame:
    """The collected rows that belong to an entry, and stand at these further axes."""
    chosen = (frame["sparsity"] - sparsity_of(row, column)).abs() < _TOLERANCE
    for axis, value in {"model": column.model, "method": row.method, **axes}.items():
        chosen &= frame[axis] == value
    return frame[chosen]


def where(row: Row, column: Column) -> str:
    """What an entry is called in messages; the dense model is the same at every sparsity."""
    return f"{column.model if row.method == DENSE and '@' in column.name else column.name} × {row.method}"


def measured_entry(chosen: pd.DataFrame, where: str, metric: str) -> Entry:
    """Mean over the seeds of the cells chosen, one or more; a footnote's reason where seeds were skipped.

    Raises:
        SparsitySolverError: two cells of one seed, no such metric, or a number that is not finite.
    """
    skipped = chosen[chosen["status"] == "skipped"]
    measured = chosen[(chosen["status"] == "ok") & (chosen["metric"] == metric)].sort_values("seed")
    _one_per_seed(pd.concat([measured, skipped]), where)
    reason = "; ".join(sorted(set(skipped["reason"]))) or "no reason given" if len(skipped) else ""
    if measured.empty:
        if skipped.empty:
            raise SparsitySolverError(f"{where}: cell {chosen['cell'].iloc[0]} has no metric '{metric}'.")
        return Entry(None, reason=reason, cells=tuple(sorted(skipped["cell"])))
    values, first = measured["value"] * printed_scale(metric), measured.iloc[0]
    if not all(map(math.isfinite, values)):
        raise SparsitySolverError(f"{where}: cell {first['cell']} holds no finite {metric}.")
    return Entry(
        value=float(values.mean()),
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        by_seed=dict(zip(measured["seed"].astype(int), map(float, values), strict=True)),
        achieved_sparsity=_mean(measured["achieved_sparsity"]),
        parameters=_mean(measured["parameters"]),
        measured=replace(
            Measurement.of(first), evaluations=_fewest(int(n) for n in measured["search_evaluations"] if n)
        ),
        tuning=_tuning(measured),
        reason=f"{len(skipped)} of {len(skipped) + len(values)} seeds skipped: {reason}" if reason else "",
        cells=tuple(measured["cell"]),
    )


def average_entry(parts: dict[str, Entry]) -> Entry:
    """The unweighted mean over all tasks of a row; none where a task has no number: another mean would mislead."""
    entries = list(parts.values())
    cells = tuple(sorted({cell for entry in entries for cell in entry.cells}))
    without = [name for name, entry in parts.items() if entry.value is None]
    if without:
        return Entry(None, reason=f"no average without {', '.join(without)}", cells=cells)
    alike = all(entry.by_seed.keys() == entries[0].by_seed.keys() for entry in entries)
    by_seed = {seed: fmean(entry.by_seed[seed] for entry in entries) for seed in entries[0].by_seed if alike}
    return Entry(
        value=fmean(entry.value for entry in entries),
        **_over_seeds(by_seed),
        achieved_sparsity=_mean([entry.achieved_sparsity for entry in entries]),
        parameters=_mean([entry.parameters for entry in entries]),
        measured=_joined([entry.measured for entry in entries]),
        tuning=Tuning.joined(entry.tuning for entry in entries),
        reason="" if alike else "the tasks were measured with different seeds",
        cells=cells,
    )


def quantity_entry(row: Row, column: Column, curves: pd.DataFrame | None, table: str) -> Entry:
    """The mean over seeds of the quantity that a row of a table shows of its method's searches.

    Raises:
        SparsitySolverError: no curves, or none of such a search.
    """
    if curves is None:
        raise SparsitySolverError(f"{table}: row '{row.name}' is read from the curves of searches: name their file.")
    chosen = rows_of(curves, row, column)
    if chosen.empty:
        sparsity = f"{sparsity_of(row, column):g}"
        raise SparsitySolverError(
            f"{where(row, column)}: no search of {row.method} at sparsity {sparsity} among the curves."
        )
    of_curve, decimals = QUANTITIES[row.quantity]
    by_seed = {int(seed): of_curve(curve.sort_values("episode")) for seed, curve in chosen.groupby("seed")}
    if None in by_seed.values():
        return Entry(None, reason="a search found no finite perplexity")
    return Entry(value=fmean(by_seed.values()), **_over_seeds(by_seed), decimals=decimals)


def _over_seeds(values: dict[int, float]) -> dict[str, Any]:
    by_seed = {seed: float(value) for seed, value in values.items()}
    return {"by_seed": by_seed, "sd": stdev(by_seed.values()) if len(by_seed) > 1 else None}


def _joined(parts: Sequence[Measurement]) -> Measurement:
    """What an average over tasks was measured on: no one window and no one text."""
    first, tasks = parts[0], tuple(task for part in parts for task in part.tasks)
    evaluations = _fewest(part.evaluations for part in parts if part.evaluations is not None)
    items = sum(part.items or 0 for part in parts)
    return Measurement(first.method, first.model, tasks, first.split, items=items, evaluations=evaluations)


def _fewest(counts: Iterable[int]) -> int | None:
    return min(counts, default=None)


def _one_per_seed(chosen: pd.DataFrame, where: str) -> None:
    """Two cells of one seed differ in something that no column of the table shows; a mean of them means nothing."""
    for seed, same in chosen.groupby("seed"):
        if len(same) > 1:
            keys = " and ".join(sorted(same["cell"])[:2])
            raise SparsitySolverError(
                f"{where}, seed {int(seed)}: cells {keys} stand for the same entry; collect only one of them."
            )


def _tuning(cells: pd.DataFrame) -> Tuning:
    """The texts of some rows of ``cells.csv`` that belong to one entry."""
    rewards = [
        f"{source} ({split})" if source and split else source
        for source, split in zip(cells["reward_source"], cells["reward_split"], strict=True)
    ]
    roles = (cells["calibration_source"], cells["reconstruction_source"], rewards)
    return Tuning(*(tuple(sorted(set(role) - {""})) for role in roles))


def _mean(values: pd.Series | list[float | None]) -> float | None:
    mean = float(pd.Series(values, dtype=float).mean())
    return None if math.isnan(mean) else mean
