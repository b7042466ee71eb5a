"""Claims about measurements: the speed of pruned models, and the reconstruction study."""

from typing import Literal

import numpy as np
import pandas as pd

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims_results import Results, of_sparsity
from sparsitysolver.reporting.claims_rules import (
    ClaimVerdict,
    Finding,
    Judgement,
    all_of,
    mean_interval,
    not_run,
    numbers_within,
    over_columns,
)
from sparsitysolver.reporting.tables import DENSE

_SETTING = ("model", "seed", "batch", "prompt_tokens", "new_tokens", "threads", "device", "dtype")


def faster_inference(
    results: Results, *, method: str, phase: Literal["prefill", "decode"], sparsity: float, than: str = DENSE
) -> Judgement:
    """A pruned model is faster than another, by their speedups over the dense model; the effect is by how many percent.

    Each setting (model, batch, lengths, device) is a column. Against another pruned model the interval takes the far
    ends of both intervals, since the two were not measured against each other: it errs on the wide side.
    """
    own, others = (_speedups(results, key, phase, sparsity) for key in (method, than))
    if than == DENSE:
        others = dict.fromkeys(own, (1.0, 1.0, 1.0))
    findings = []
    for setting in [setting for setting in own if setting in others]:
        (speed, low, high), (other, other_low, other_high) = own[setting], others[setting]
        ratios = (speed / other, low / other_high, high / other_low)
        effect, least, most = (None if np.isnan(ratio) else 100 * (ratio - 1) for ratio in ratios)
        findings.append(Finding(str(setting), setting[0], effect, least, most))
    if not findings:
        return not_run(f"no inference measured of {method} beside {than}")
    low, high = (findings[0].low, findings[0].high) if len(findings) == 1 else (None, None)
    effect = float(np.mean([finding.effect for finding in findings]))
    models = tuple(dict.fromkeys(finding.model for finding in findings))
    return Judgement(over_columns(findings, "all"), effect, low, high, "% faster", len(findings), models)


def _speedups(results: Results, method: str, phase: str, sparsity: float) -> dict[tuple, tuple[float, float, float]]:
    """Speedup over the dense model with its interval (NaN where not measured), by setting."""
    if results.inference is None:
        return {}
    rows = of_sparsity(results.inference, sparsity)
    rows = rows[rows["method"] == method]
    columns = [f"{phase}_speedup", f"{phase}_speedup_low", f"{phase}_speedup_high"]
    settings = rows[list(_SETTING)].itertuples(index=False, name=None)
    return dict(zip(settings, rows[columns].itertuples(index=False, name=None), strict=True))


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
    return Judgement(all_of(verdicts), float(np.mean(effects)), low, high, f"% of {y}", len(effects), models)


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
    quantity: Literal["ppl", "seconds_per_module"],
    modules: str,
    samples: int,
    sparsity: float,
    low: float | None = None,
    high: float | None = None,
) -> Judgement:
    """A quantity of the reconstruction study lies in an allowed range, its ends included; the effect is its mean."""
    if results.reconstruction is None:
        return not_run("no reconstruction study")
    rows = of_sparsity(results.reconstruction, sparsity)
    rows = rows[(rows["modules"] == modules) & (rows["samples"] == samples)]
    values = list(zip(rows["model"], map(float, rows[quantity]), strict=True))
    return numbers_within(values, low, high, quantity) if values else not_run("no such row in the reconstruction study")
