"""Claims that a quantity falls or rises step by step along an axis of the reconstruction study."""

from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.results import Results
from sparsitysolver.reporting.claims.rules import Judgement, Kind, NotJudgedError, each_once
from sparsitysolver.reporting.compare.intervals import mean_interval
from sparsitysolver.reporting.compare.verdicts import Verdict, all_of

_TIME = "seconds_per_module"  # jitters from one measurement to the next
_AXES = ("model", "modules", "samples", "sparsity", "seed")


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

    Attributes:
        along: what varies within a series; all else is fixed.
        falls: whether the measure falls with it.
        modules: series of these alone.
    """

    measures: ClassVar = dict.fromkeys(("ppl", _TIME), series)
    own: ClassVar = ("falls",)
    kind: Literal["monotone"] = "monotone"
    along: Literal["samples", "sparsity"]
    falls: bool
    modules: Literal["mha", "ffn", "both"] | None = None

    def verdict_on(self, results: Results) -> Judgement:
        """One verdict over all series."""
        found = series(results, **self.arguments)
        if not found:
            note = f"no series over {self.along} in the reconstruction study"
            raise NotJudgedError(Verdict.NOT_RUN, note)
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
