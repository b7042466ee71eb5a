"""Claims that a number lies in a printed range, its ends included: sizes of models, rewards, times."""

import math
from functools import partial
from typing import ClassVar, Literal, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from sparsitysolver.config.registry import MethodKey
from sparsitysolver.reporting.claims.measures import episodes_until_good, smoothed
from sparsitysolver.reporting.claims.places import TableName, tables_of_models
from sparsitysolver.reporting.claims.results import Results, of_sparsity
from sparsitysolver.reporting.claims.rules import Judgement, Kind, NotJudgedError, each_once
from sparsitysolver.reporting.claims.runs import no_runs, of_each, runs_of
from sparsitysolver.reporting.compare.verdicts import Verdict

SECONDS_OF_HOUR = 3600
T = TypeVar("T")


class Number(NamedTuple):
    """A number of a model, and why it speaks against a claim wherever it lies; empty where it does not."""

    model: str
    value: float
    flaw: str = ""


def of_cells(quantity: str, results: Results, *, table: str, method: str) -> list[Number]:
    """A column of ``cells.csv``, of a method's models in the columns of a table."""
    numbers = []
    for measured in tables_of_models(results, table, [method]):
        keys = {cell for entry in measured.entries.values() if entry.value is not None for cell in entry.cells}
        cells = results.cells[results.cells["cell"].isin(keys)].drop_duplicates("cell")
        numbers += map(Number, cells["model"], map(float, cells[quantity]))
    return _or_not_run(numbers, f"no cells of {method}")


def final_reward(results: Results, *, method: str, sparsity: float | None = None) -> list[Number]:
    """The smoothed reward at the end of every search."""
    found = runs_of(results, "search", [method], sparsity)
    numbers = [Number(model, float(smoothed(curve).iloc[-1])) for (model, _), (curve,) in found.items()]
    return _or_not_run(numbers, no_runs("search", method))


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

    found = of_each(runs_of(results, "search", [method, than], sparsity), hours)
    numbers = [Number(model, *of_run) for (model, _), of_run in found.items()]
    return _or_not_run(numbers, no_runs("search", method, than, sparsity))


def per_module(unit: str, results: Results, *, modules: str, samples: int, sparsity: float) -> list[Number]:
    """The time of reconstructing one module (``mha``, ``ffn``) with so many windows: seconds, or hours times GPUs.

    Rows measured without a GPU are left out.
    """
    if results.reconstruction is None:
        raise NotJudgedError(Verdict.NOT_RUN, "no reconstruction study")
    rows = of_sparsity(results.reconstruction, sparsity)
    rows = rows[(rows["modules"] == modules) & (rows["samples"] == samples)]
    _or_not_run(list(rows.index), "no such row in the reconstruction study")
    rows = rows[rows["gpus"] > 0]
    if rows.empty:
        note = "reconstructed without a GPU, or their number was not recorded"
        raise NotJudgedError(Verdict.NOT_COMPARABLE, note)
    times = rows["seconds_per_module"] * (rows["gpus"] / SECONDS_OF_HOUR if unit == "hours" else 1)
    return list(map(Number, rows["model"], map(float, times)))


def _or_not_run(found: list[T], note: str) -> list[T]:
    if not found:
        raise NotJudgedError(Verdict.NOT_RUN, note)
    return found


_UNITS = {"hours_until_good": "GPU hours", "seconds_per_module": "seconds", "hours_per_module": "GPU hours"}


class Within(Kind):
    """All numbers of a measure lie between ``low`` and ``high``; the effect is their mean.

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
    modules: Literal["mha", "ffn", "both"] | None = None
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
