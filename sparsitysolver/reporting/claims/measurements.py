"""Claims about measurements: the speed of pruned models, and the reconstruction study."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.equals import equal_rows
from sparsitysolver.reporting.claims.results import Results, of_sparsity
from sparsitysolver.reporting.claims.rules import (
    ClaimVerdict,
    Finding,
    Judgement,
    all_of,
    mean_interval,
    not_comparable,
    not_run,
    numbers_within,
    over_columns,
)
from sparsitysolver.reporting.compare.comparability import Removed, unequal
from sparsitysolver.reporting.tables.tables import DENSE

_SETTING = ("model", "seed", "batch", "prompt_tokens", "new_tokens", "threads", "device", "dtype")


def faster_inference(
    results: Results, *, method: str, phase: Literal["prefill", "decode"], sparsity: float, than: str = DENSE
) -> Judgement:
    """A pruned model is faster than another, by their speedups over the dense model; the effect is by how many percent.

    Each setting (model, batch, lengths, device) is a column. Against another pruned model the interval takes the far
    ends of both intervals, since the two were not measured against each other: it errs on the wide side. Pruned models
    of unequal size are not compared; a row that brings the other one to the size asked for is compared too.
    """
    own = _timed(results, method, phase, sparsity)
    if than == DENSE:
        pairs = [(setting, speed, _Timed(*(1.0,) * 3)) for setting, speed in own.items()]
        return _faster(pairs, "", method, than)
    rows = {key: _timed(results, key, phase, sparsity) for key in (than, *equal_rows(than))}
    pairs, refused, stood_in = [], [], []
    for setting in [setting for setting in own if setting in rows[than]]:
        measured = {key: others[setting] for key, others in rows.items() if setting in others}
        allowed = [key for key, other in measured.items() if not unequal(other.removed, own[setting].removed)]
        pairs += [(setting, own[setting], measured[key]) for key in allowed]
        stood_in += [key for key in allowed if key != than]
        if than not in allowed:
            refused.append(f"{setting[0]}: {than} and {method}: {_why(measured[than], own[setting])}")
    notes = [f"judged on {', '.join(dict.fromkeys(stood_in))} too"] if stood_in else []
    notes += [f"not compared: {'; '.join(dict.fromkeys(refused))}"] if refused else []
    if refused and not pairs:
        models = tuple(dict.fromkeys(setting[0] for setting in own))
        return Judgement(ClaimVerdict.UNEQUAL, models=models, note="; ".join(notes))
    return _faster(pairs, "; ".join(notes), method, than)


@dataclass(frozen=True)
class _Timed:
    """Speedup over the dense model with its interval (NaN where not measured), and the model's size."""

    speed: float
    low: float
    high: float
    parameters: float | None = None

    @property
    def removed(self) -> Removed:
        """What was taken from the model: only its size is known, which decides its speed whatever the method."""
        return Removed(None, None if self.parameters is None or np.isnan(self.parameters) else self.parameters)


def _timed(results: Results, method: str, phase: str, sparsity: float) -> dict[tuple, _Timed]:
    """What was measured of a method, by setting."""
    if results.inference is None:
        return {}
    rows = of_sparsity(results.inference, sparsity)
    rows = rows[rows["method"] == method]
    columns = [f"{phase}_speedup", f"{phase}_speedup_low", f"{phase}_speedup_high", "parameters"]
    settings = rows[list(_SETTING)].itertuples(index=False, name=None)
    return dict(zip(settings, (_Timed(*row) for row in rows[columns].itertuples(index=False, name=None)), strict=True))


def _why(other: _Timed, own: _Timed) -> str:
    return unequal(other.removed, own.removed)


def _faster(pairs: Sequence[tuple[tuple, _Timed, _Timed]], note: str, method: str, than: str) -> Judgement:
    """The verdict over all pairs of a setting."""
    findings = []
    for setting, own, other in pairs:
        ratios = (own.speed / other.speed, own.low / other.high, own.high / other.low)
        effect, least, most = (None if np.isnan(ratio) else 100 * (ratio - 1) for ratio in ratios)
        findings.append(Finding(str(setting), setting[0], effect, least, most))
    if not findings:
        return not_run(f"no inference measured of {method} beside {than}")
    low, high = (findings[0].low, findings[0].high) if len(findings) == 1 else (None, None)
    effect = float(np.mean([finding.effect for finding in findings]))
    models = tuple(dict.fromkeys(finding.model for finding in findings))
    interval = "rounds of one measurement" if low is not None else ""
    return Judgement(
        over_columns(findings, "all"), effect, low, high, "% faster", len(findings), models, note, interval
    )


def monotone(
    results: Results,
    *,
    x: Literal["samples", "sparsity"],
    y: Literal["ppl", "seconds_per_module"],
    falls: bool,
    modules: str | None = None,
) -> Judgement:
    """A quantity of the reconstruction study falls (or rises) with another one, step by step.

    It holds where every step of every series goes the way claimed, fails where the last value of any is no better than
    its first, and is inside the noise otherwise. The effect is the change from the first to the last in percent,
    positive in the direction claimed; its interval is Student's over series.

    Args:
        results: of the models to judge.
        x: what varies within a series; all else is fixed.
        y: what is claimed to change.
        falls: whether it falls with x.
        modules: of these alone (``mha``, ``ffn``, ``both``).
    """
    found = _series(results, x, modules)
    if not found:
        return not_run(f"no series over {x} in the reconstruction study")
    verdicts, effects = [], []
    for series in found.values():
        values = series.sort_values(x)[y].to_numpy() * (-1 if falls else 1)
        verdicts.append(_of_series(values))
        effects.append(100 * float(values[-1] - values[0]) / abs(values[0]))
    models = tuple(dict.fromkeys(model for model, *_ in found))
    low, high = mean_interval(effects)
    interval = f"{len(effects)} series" if low is not None else ""
    return Judgement(
        all_of(verdicts), float(np.mean(effects)), low, high, f"% of {y}", len(effects), models, interval=interval
    )


def _of_series(rising: np.ndarray) -> ClaimVerdict:
    """The verdict on one series that is claimed to rise, shape (values,)."""
    if rising[-1] <= rising[0]:
        return ClaimVerdict.FAILS
    return ClaimVerdict.HOLDS if (np.diff(rising) > 0).all() else ClaimVerdict.NOISE


def _series(results: Results, x: str, modules: str | None) -> dict[tuple, pd.DataFrame]:
    """Rows of the reconstruction study in which only ``x`` varies, with two values or more, by what is fixed."""
    if results.reconstruction is None:
        return {}
    rows = results.reconstruction[results.reconstruction["samples"] > 0]  # 0: without reconstruction
    rows = rows if modules is None else rows[rows["modules"] == modules]
    fixed = [column for column in ("model", "modules", "samples", "sparsity", "seed") if column != x]
    groups = {key: series for key, series in rows.groupby(fixed, sort=False) if set(series[x]) != {series[x].iloc[0]}}
    for key, series in groups.items():
        if series[x].duplicated().any():
            raise SparsitySolverError(
                f"reconstruction.csv holds one value of {x} twice for {', '.join(map(str, key))}; make it anew."
            )
    return groups


def reconstruction_in_range(
    results: Results,
    *,
    quantity: Literal["seconds", "gpu_hours"],
    modules: str,
    samples: int,
    sparsity: float,
    low: float | None = None,
    high: float | None = None,
) -> Judgement:
    """The time of reconstructing one module on GPUs lies in an allowed range, its ends included.

    Args:
        results: of the models to judge; those measured without a GPU are left out.
        quantity: ``seconds``, or ``gpu_hours``: seconds times the number of GPUs.
        modules: of these (``mha``, ``ffn``).
        samples: number of reconstruction windows.
        sparsity: target sparsity.
        low: the least allowed, in the unit of the quantity.
        high: the most allowed.
    """
    if results.reconstruction is None:
        return not_run("no reconstruction study")
    rows = of_sparsity(results.reconstruction, sparsity)
    rows = rows[(rows["modules"] == modules) & (rows["samples"] == samples)]
    if rows.empty:
        return not_run("no such row in the reconstruction study")
    rows = rows[rows["gpus"] > 0]
    if rows.empty:
        return not_comparable("reconstructed without a GPU, or their number was not recorded")
    times = rows["seconds_per_module"] * (rows["gpus"] / 3600 if quantity == "gpu_hours" else 1)
    values = list(zip(rows["model"], map(float, times), strict=True))
    return numbers_within(values, low, high, quantity.replace("gpu", "GPU").replace("_", " "))
