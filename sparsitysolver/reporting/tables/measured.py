"""Entries of tables from collected rows: cells, and for rows with a quantity (paper, table 6) curves of searches."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean, stdev

import pandas as pd

from sparsitysolver.config.tables import Column, Row
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.compare.comparability import DENSE, Measurement
from sparsitysolver.reporting.compare.verdicts import printed_scale
from sparsitysolver.reporting.tables.entries import DECIMALS, Entry, Tuning

_TOLERANCE = 1e-9  # of sparsities, which went through text


def episodes_to(
    curve: Sequence[float | None], within: float = 0.01, first: int = 300, best: float | None = None
) -> int | None:
    """Episodes needed: the number, from 1, of the first whose perplexity is near the best (0.01: at most 1% above it).

    Only the ``first`` episodes are looked at, for the best (unless it is given, as that of another search) and for the
    answer. None or a perplexity that is not finite never counts; None where no episode is near enough.
    """
    looked_at = [math.inf if ppl is None or math.isnan(ppl) else ppl for ppl in curve[:first]]
    best = min(looked_at, default=math.inf) if best is None else best
    if math.isinf(best):
        return None
    return next((number for number, ppl in enumerate(looked_at, start=1) if ppl <= best * (1 + within)), None)


# Of the curve of a search: what the row shows, and its decimals.
_QUANTITIES: dict[str, tuple[Callable[[pd.DataFrame], float | None], int]] = {
    "episodes_needed": (lambda curve: episodes_to(curve["ppl"].tolist()), 0),
    "episodes": (len, 0),
    "episode_seconds": (lambda curve: curve["seconds"].median(), DECIMALS),
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
        SparsitySolverError: two cells of one seed (what they differ in is no column of the table, and a mean of them
            means nothing), or no such metric.
    """
    skipped = chosen[chosen["status"] == "skipped"]
    measured = chosen[(chosen["status"] == "ok") & (chosen["metric"] == metric)].sort_values("seed")
    for seed, same in pd.concat([measured, skipped]).groupby("seed"):
        if len(same) > 1:
            keys = " and ".join(sorted(same["cell"])[:2])
            raise SparsitySolverError(
                f"{where}, seed {int(seed)}: cells {keys} stand for the same entry; collect only one of them."
            )
    reason = "; ".join(sorted(set(skipped["reason"]))) or "no reason given" if len(skipped) else ""
    if measured.empty:
        if skipped.empty:
            raise SparsitySolverError(f"{where}: cell {chosen['cell'].iloc[0]} has no metric '{metric}'.")
        return Entry(None, reason=reason, cells=tuple(sorted(skipped["cell"])))
    values = measured["value"] * printed_scale(metric)
    evaluations = min((int(count) for count in measured["search_evaluations"] if count), default=None)
    return Entry(
        value=float(values.mean()),
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        by_seed=dict(zip(measured["seed"].astype(int), map(float, values), strict=True)),
        achieved_sparsity=_mean(measured["achieved_sparsity"]),
        parameters=_mean(measured["parameters"]),
        measured=replace(Measurement.of(measured.iloc[0]), evaluations=evaluations),
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
    on = [entry.measured for entry in entries]  # no one window and no one text
    tasks, items = tuple(task for part in on for task in part.tasks), sum(part.items or 0 for part in on)
    evaluations = min((part.evaluations for part in on if part.evaluations is not None), default=None)
    return Entry(
        value=fmean(entry.value for entry in entries),
        sd=_deviation(by_seed),
        by_seed=by_seed,
        achieved_sparsity=_mean([entry.achieved_sparsity for entry in entries]),
        parameters=_mean([entry.parameters for entry in entries]),
        measured=Measurement(on[0].method, on[0].model, tasks, on[0].split, items=items, evaluations=evaluations),
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
        at = f"{row.method} at sparsity {sparsity_of(row, column):g}"
        raise SparsitySolverError(f"{where(row, column)}: no search of {at} among the curves.")
    of_curve, decimals = _QUANTITIES[row.quantity]
    found = {int(seed): of_curve(curve.sort_values("episode")) for seed, curve in chosen.groupby("seed")}
    if None in found.values():
        return Entry(None, reason="a search found no finite perplexity")
    by_seed = {seed: float(value) for seed, value in found.items()}
    return Entry(value=fmean(by_seed.values()), sd=_deviation(by_seed), by_seed=by_seed, decimals=decimals)


def _deviation(by_seed: dict[int, float]) -> float | None:
    return stdev(by_seed.values()) if len(by_seed) > 1 else None


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
