"""Paired comparisons of two methods in single columns, and one judgement over all that a claim needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sparsitysolver.reporting.claims_rules import ClaimVerdict, Finding, Judgement, Quantifier, not_run, over_columns
from sparsitysolver.reporting.metrics import PERPLEXITY_METRIC
from sparsitysolver.reporting.paired import bootstrap_interval, in_unit
from sparsitysolver.seeds import derive_seed


@dataclass(frozen=True)
class Comparison:
    """Two methods in one column: the finding, and where there are samples the paired differences behind it, by task."""

    finding: Finding
    metric: str
    strata: Mapping[str, np.ndarray] | None


def judge(found: Sequence[Comparison | str], quantifier: Quantifier) -> Judgement:
    """The verdict over all comparisons, with their mean effect, or the best column's where the claim is about some.

    Args:
        found: comparisons, and the reasons why there are no others.
        quantifier: in how many columns the claim must hold.
    """
    comparisons = [comparison for comparison in found if isinstance(comparison, Comparison)]
    left_out = summary([reason for reason in found if isinstance(reason, str)])
    if not comparisons:
        return not_run(left_out or "no cells")
    findings = [comparison.finding for comparison in comparisons]
    shown = _best_column(findings) if quantifier == "some" else _pooled(comparisons)
    return Judgement(
        over_columns(findings, quantifier),
        *(shown.effect, shown.low, shown.high),
        unit="% perplexity" if comparisons[0].metric == PERPLEXITY_METRIC else "points",
        n=shown.n,
        models=models_of(findings),
        note="; ".join(filter(None, [_where(findings) if quantifier != "all" else "", left_out])),
    )


def _best_column(findings: Sequence[Finding]) -> Finding:
    """The finding that a claim about some columns rests on: the closest rival in the column where that is farthest."""

    def least(finding: Finding) -> float:
        return finding.effect if finding.low is None else finding.low

    columns = dict.fromkeys(finding.column for finding in findings)
    closest = [min((f for f in findings if f.column == column), key=least) for column in columns]
    return max(closest, key=least)


def _where(findings: Sequence[Finding]) -> str:
    """In which columns a claim about some or most of them holds."""
    columns = list(dict.fromkeys(finding.column for finding in findings))
    verdicts = {c: over_columns([f for f in findings if f.column == c], "all") for c in columns}
    holding = [column for column in columns if verdicts[column] is ClaimVerdict.HOLDS]
    return f"holds in {len(holding)} of {len(columns)}{': ' if holding else ''}{', '.join(holding)}"


def _pooled(comparisons: Sequence[Comparison]) -> Finding:
    """The mean of all findings with its interval; losses are averaged as logarithms, points as they are."""
    findings = [comparison.finding for comparison in comparisons]
    if len(findings) == 1:
        return findings[0]
    metric = comparisons[0].metric
    if any(comparison.strata is None for comparison in comparisons):
        effects = np.array([finding.effect for finding in findings])
        of_logarithms = metric == PERPLEXITY_METRIC
        mean = in_unit(float(np.log1p(effects / 100).mean()), metric) if of_logarithms else float(effects.mean())
        return Finding("", "", mean, n=len(findings))
    strata = _pooled_strata(comparisons)
    mean = float(np.mean([stratum.mean() for stratum in strata]))
    low, high = bootstrap_interval(strata, derive_seed("claim", *(finding.column for finding in findings)))
    return Finding("", "", *(in_unit(value, metric) for value in (mean, low, high)), n=sum(map(len, strata)))


def _pooled_strata(comparisons: Sequence[Comparison]) -> list[np.ndarray]:
    """One stratum per model and task: rivals and sparsities share windows or items, so these are averaged first."""
    shared: dict[tuple[str, str], list[np.ndarray]] = {}
    for comparison in comparisons:
        for task, differences in comparison.strata.items():
            shared.setdefault((comparison.finding.model, task), []).append(differences)
    return [np.mean(differences, axis=0) for differences in shared.values()]


def models_of(findings: Sequence[Finding]) -> tuple[str, ...]:
    """The models of some findings, each once."""
    return tuple(dict.fromkeys(finding.model for finding in findings))


def summary(left_out: Sequence[str]) -> str:
    """What was not judged, in a few words."""
    distinct = list(dict.fromkeys(left_out))
    more = f" and {len(distinct) - 2} more" if len(distinct) > 2 else ""
    return f"not judged: {'; '.join(distinct[:2])}{more}" if distinct else ""
