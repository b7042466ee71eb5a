"""Claims about plain numbers: in a printed range (sizes, rewards, times), or going one way along an axis of a study."""

import math
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import pandas as pd

from sparsitysolver.config.registry import MethodKey
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.measures import Measure, episodes_until_good, smoothed
from sparsitysolver.reporting.claims.places import tables_of_models
from sparsitysolver.reporting.claims.results import Results, of_sparsity
from sparsitysolver.reporting.claims.rules import Judgement, Kind, NotJudgedError, TableName, each_once
from sparsitysolver.reporting.claims.runs import measured
from sparsitysolver.reporting.compare.intervals import mean_interval
from sparsitysolver.reporting.compare.verdicts import Verdict, all_of

SECONDS_OF_HOUR = 3600
Modules = Literal["mha", "ffn", "both"]
_TIME = "seconds_per_module"  # jitters from one measurement to the next
_AXES = ("model", "modules", "samples", "sparsity", "seed")
_UNITS = {"hours_until_good": "GPU hours", _TIME: "seconds", "hours_per_module": "GPU hours"}


class Number(NamedTuple):
    """A number of a model, and why it speaks against a claim wherever it lies; empty where it does not."""

    model: str
    value: float
    flaw: str = ""


def of_cells(quantity: str, results: Results, *, table: str, method: str) -> list[Number]:
    """A column of ``cells.csv``, of a method's models in the columns of a table."""
    numbers = []
    for found in tables_of_models(results, table, [method]):
        keys = {cell for entry in found.entries.values() if entry.value is not None for cell in entry.cells}
        cells = results.cells[results.cells["cell"].isin(keys)].drop_duplicates("cell")
        numbers += map(Number, cells["model"], map(float, cells[quantity]))
    return _some(numbers, Verdict.NOT_RUN, f"no cells of {method}")


def final_reward(results: Results, *, method: str, sparsity: float | None = None) -> list[Number]:
    """The smoothed reward at the end of every search."""
    found = measured(results, Measure(lambda curve: float(smoothed(curve).iloc[-1]), ""), method, None, sparsity)
    return [Number(model, value) for (model, _), value in found.items()]


def hours_until_good(results: Results, *, method: str, than: str, sparsity: float) -> list[Number]:
    """GPU hours until a search with another's agent is good: the seconds of its episodes until then, times its GPUs.

    One that never is fails, whatever all its episodes took.
    """

    def hours(run: pd.DataFrame, scratch: pd.DataFrame) -> tuple[float, str]:
        needed, _ = episodes_until_good(run, scratch)
        gpus = run["gpus"].iloc[0]
        if not gpus > 0:
            note = "searched without a GPU, or their number was not recorded"
            raise NotJudgedError(Verdict.NOT_COMPARABLE, note)
        seconds = run["seconds"].iloc[: needed or len(run)].sum()
        return float(seconds * gpus / SECONDS_OF_HOUR), "" if needed else "never as good as the search from scratch"

    found = measured(results, Measure(hours, ""), method, than, sparsity)
    return [Number(model, *of_run) for (model, _), of_run in found.items()]


def per_module(unit: str, results: Results, *, modules: str, samples: int, sparsity: float) -> list[Number]:
    """The time of reconstructing one module (``mha``, ``ffn``) with so many windows: seconds, or hours times GPUs.

    Rows measured without a GPU are left out.
    """
    if results.reconstruction is None:
        raise NotJudgedError(Verdict.NOT_RUN, "no reconstruction study")
    rows = of_sparsity(results.reconstruction, sparsity)
    rows = rows[(rows["modules"] == modules) & (rows["samples"] == samples)]
    rows = _some(rows, Verdict.NOT_RUN, "no such row in the reconstruction study")
    note = "reconstructed without a GPU, or their number was not recorded"
    rows = _some(rows[rows["gpus"] > 0], Verdict.NOT_COMPARABLE, note)
    times = rows[_TIME] * (rows["gpus"] / SECONDS_OF_HOUR if unit == "hours" else 1)
    return list(map(Number, rows["model"], map(float, times)))


def _some(found: Any, verdict: Verdict, note: str) -> Any:
    """What was found, numbers or rows; the verdict where there is nothing."""
    if not len(found):
        raise NotJudgedError(verdict, note)
    return found


class Within(Kind):
    """All numbers of a measure lie between ``low`` and ``high``, the ends included; the effect is their mean.

    The interval is left empty: a range says what is allowed, and every number must obey it. Other fields are parameters
    of the measures.
    """

    measures: ClassVar = {
        **{name: partial(of_cells, name) for name in ("parameters", "extra_parameters", "achieved_sparsity")},
        "final_reward": final_reward,
        "hours_until_good": hours_until_good,
        **{f"{unit}_per_module": partial(per_module, unit) for unit in ("seconds", "hours")},
    }
    own: ClassVar = ("low", "high")
    kind: Literal["within"] = "within"
    low: float = -math.inf
    high: float = math.inf
    method: MethodKey | None = None
    table: TableName | None = None
    than: MethodKey | None = None
    sparsity: float | None = None
    modules: Modules | None = None
    samples: int | None = None

    def verdict_on(self, results: Results) -> Judgement:
        """Whether all numbers are allowed."""
        numbers = self.measures[self.measure](results, **self.arguments)
        outside = [number for number in numbers if not self.low <= number.value <= self.high]
        flawed = [number for number in numbers if number.flaw]
        ends = ("" if math.isinf(end) else f"{end:g}" for end in (self.low, self.high))
        notes = [f"allowed: {' to '.join(ends)}"]
        if outside:
            notes.append(f"outside: {'; '.join(f'{number.model} {number.value:.6g}' for number in outside)}")
        if flawed:
            notes.append(f"{flawed[0].flaw}: {', '.join(number.model for number in flawed)}")
        return Judgement(
            Verdict.FAILS if outside or flawed else Verdict.HOLDS,
            effect=float(np.mean([number.value for number in numbers])),
            unit=_UNITS.get(self.measure, self.measure.replace("_", " ")),
            n=len(numbers),
            models=each_once(number.model for number in numbers),
            note="; ".join(notes),
        )


def series(results: Results, *, along: str, modules: str | None = None) -> dict[tuple, pd.DataFrame]:
    """Rows of the study in which only one axis varies, with two values or more, by what is fixed, in order.

    Raises:
        SparsitySolverError: a value stands twice.
    """
    if results.reconstruction is None:
        return {}
    rows = results.reconstruction[results.reconstruction["samples"] > 0]  # 0: without reconstruction
    rows = rows if modules is None else rows[rows["modules"] == modules]
    groups = rows.groupby([axis for axis in _AXES if axis != along], sort=False)
    found = {key: group.sort_values(along) for key, group in groups if group[along].min() < group[along].max()}
    for key, group in found.items():
        if group[along].duplicated().any():
            raise SparsitySolverError(
                f"reconstruction.csv holds one value of {along} twice for {', '.join(map(str, key))}; make it anew."
            )
    return found


class Monotone(Kind):
    """A column of the study falls (or rises) along an axis.

    It holds where every step of every series goes the way claimed, fails where the last value of any is no better than
    its first, and is inside the noise otherwise; of times also where the interval holds zero. The effect is the change
    from the first to the last in percent, positive in the direction claimed; its interval is Student's over series.
    """

    measures: ClassVar = dict.fromkeys(("ppl", _TIME), series)
    own: ClassVar = ("falls",)
    kind: Literal["monotone"] = "monotone"
    along: Literal["samples", "sparsity"]  # what varies within a series; all else is fixed
    falls: bool  # whether the measure falls with it
    modules: Modules | None = None  # series of these alone

    def verdict_on(self, results: Results) -> Judgement:
        """One verdict over all series."""
        note = f"no series over {self.along} in the reconstruction study"
        found = _some(series(results, **self.arguments), Verdict.NOT_RUN, note)
        rising = [group[self.measure].to_numpy() * (-1 if self.falls else 1) for group in found.values()]
        effects = [100 * float(values[-1] - values[0]) / abs(values[0]) for values in rising]
        effect, (low, high) = float(np.mean(effects)), mean_interval(effects)
        noise = self.measure == _TIME and low is not None and low <= 0 <= high
        return Judgement(
            Verdict.NOISE if noise else all_of([_of_series(values) for values in rising]),
            *(effect, low, high),
            unit=f"% of {self.measure}",
            n=len(effects),
            models=each_once(model for model, *_ in found),
            interval=f"{len(effects)} series" if low is not None else "",
        )


def _of_series(rising: np.ndarray) -> Verdict:
    """The verdict on one series that is claimed to rise, shape (values,)."""
    if rising[-1] <= rising[0]:
        return Verdict.FAILS
    return Verdict.HOLDS if (np.diff(rising) > 0).all() else Verdict.NOISE
