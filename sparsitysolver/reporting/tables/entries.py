"""One number of a table: the mean over seeds and what it rests on, or the reason why there is none."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean, stdev

import pandas as pd

from sparsitysolver.config.tables import DASH
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.compare.comparability import DENSE, Removed, other_texts
from sparsitysolver.reporting.compare.metrics import printed_scale
from sparsitysolver.reporting.tables.tuning import Tuning, tuning_of

_UNITS = ((1e9, "B"), (1e6, "M"), (1e3, "k"))
DECIMALS = 2  # as the paper prints perplexities and accuracies


@dataclass(frozen=True)
class Entry:
    """One number of a table: the mean over seeds and what it rests on, or the reason why there is none.

    Attributes:
        value: mean over seeds, as tables print it (accuracies in percent); None where every seed was skipped.
        sd: sample standard deviation over seeds; None for fewer than two.
        by_seed: the value of each seed measured.
        achieved_sparsity: mean over seeds, fraction of prunable weights removed.
        parameters: mean over seeds, all parameters of the pruned model.
        seqlen: window length in tokens; None where not recorded.
        items: how many items a zero-shot task was measured on; None for perplexity.
        evaluations: how many the search took, of several seeds the fewest; None where nothing was searched.
        text_sha256: hash of the text scored; empty for zero-shot tasks, and where not recorded.
        tokens: how many tokens the text has; None for zero-shot tasks.
        tuning: the texts that the method was tuned on.
        method: its key.
        reason: why a combination was skipped, for the footnote; empty otherwise.
        cells: the content keys of the cells behind the number, in the order of their seeds.
        decimals: as the table prints it.
    """

    value: float | None
    sd: float | None = None
    by_seed: dict[int, float] = field(default_factory=dict)
    achieved_sparsity: float | None = None
    parameters: float | None = None
    seqlen: int | None = None
    items: int | None = None
    evaluations: int | None = None
    text_sha256: str = ""
    tokens: int | None = None
    tuning: Tuning = Tuning()
    method: str = ""
    reason: str = ""
    cells: tuple[str, ...] = ()
    decimals: int = DECIMALS

    @property
    def text(self) -> str:
        """The number as the table prints it."""
        return printed(self.value, self.decimals)

    @property
    def seeds(self) -> int:
        """How many seeds were measured."""
        return len(self.by_seed)

    @property
    def removed(self) -> Removed:
        """What was taken from the model, for :func:`~sparsitysolver.reporting.comparability.unequal`."""
        return Removed(self.achieved_sparsity, self.parameters, self.method)

    @property
    def quantities(self) -> dict[str, str]:
        """The columns of the extended table."""
        return {
            "sd": printed(self.sd),
            "seeds": str(self.seeds) if self.by_seed else DASH,
            "achieved sparsity": printed(self.achieved_sparsity, 4),
            "parameters": printed(self.parameters, 0),
            "calibration": self.tuning.text,
        }


def printed(value: float | None, decimals: int = DECIMALS) -> str:
    """A number as a table prints it; a dash for none."""
    return DASH if value is None else f"{value:.{decimals}f}"


def printed_count(count: float) -> str:
    """A number of parameters to three digits, such as ``291 k``, ``2.13 M`` or ``5.39 B``."""
    scale, unit = next(((scale, unit) for scale, unit in _UNITS if count >= scale), (1.0, ""))
    digits = max(0, 2 - math.floor(math.log10(max(count / scale, 1.0))))
    return f"{count / scale:,.{digits}f} {unit}".strip()


def other_tuning(first: Entry, second: Entry) -> str:
    """Words on the texts that two measured entries were tuned on, where these differ; the dense model needs none."""
    if None in (first.value, second.value) or DENSE in (first.method, second.method):
        return ""
    return other_texts(first.tuning.sources, second.tuning.sources)


def measured_entry(chosen: pd.DataFrame, where: str, metric: str) -> Entry:
    """Mean over the seeds of one entry; a footnote's reason where seeds were skipped.

    Args:
        chosen: the rows of ``cells.csv`` that belong to the entry, one or more.
        where: what the entry is called in messages.
        metric: the metric shown.

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
    values = measured["value"] * printed_scale(metric)
    if not all(math.isfinite(value) for value in values):
        raise SparsitySolverError(f"{where}: cell {measured['cell'].iloc[0]} holds no finite {metric}.")
    return Entry(
        value=float(values.mean()),
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        by_seed=dict(zip(measured["seed"].astype(int), map(float, values), strict=True)),
        achieved_sparsity=_mean(measured["achieved_sparsity"]),
        parameters=_mean(measured["parameters"]),
        seqlen=_integer(measured["seqlen"].iloc[0]),
        items=_integer(measured["items"].iloc[0]),
        evaluations=_fewest(int(count) for count in measured["search_evaluations"] if count),
        text_sha256=measured["text_sha256"].iloc[0],
        tokens=_integer(measured["tokens"].iloc[0]),
        tuning=tuning_of(measured),
        method=measured["method"].iloc[0],
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
    seeds = entries[0].by_seed if alike else {}
    by_seed = {seed: fmean(entry.by_seed[seed] for entry in entries) for seed in seeds}
    return Entry(
        value=fmean(entry.value for entry in entries),
        sd=stdev(by_seed.values()) if len(by_seed) > 1 else None,
        by_seed=by_seed,
        achieved_sparsity=_mean(pd.Series([entry.achieved_sparsity for entry in entries], dtype=float)),
        parameters=_mean(pd.Series([entry.parameters for entry in entries], dtype=float)),
        items=sum(entry.items or 0 for entry in entries),
        evaluations=_fewest(entry.evaluations for entry in entries if entry.evaluations is not None),
        tuning=Tuning.joined(entry.tuning for entry in entries),
        method=entries[0].method,
        reason="" if alike else "the tasks were measured with different seeds",
        cells=cells,
    )


def _one_per_seed(chosen: pd.DataFrame, where: str) -> None:
    """Two cells of one seed differ in something that no column of the table shows; a mean of them means nothing."""
    for seed, same in chosen.groupby("seed"):
        if len(same) > 1:
            keys = " and ".join(sorted(same["cell"])[:2])
            raise SparsitySolverError(
                f"{where}, seed {int(seed)}: cells {keys} stand for the same entry; collect only one of them."
            )


def _mean(values: pd.Series) -> float | None:
    mean = float(values.mean())
    return None if math.isnan(mean) else mean


def _integer(value: float) -> int | None:
    return None if math.isnan(value) else int(value)


def _fewest(counts: Iterable[int]) -> int | None:
    return min(counts, default=None)
