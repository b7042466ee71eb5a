"""Paired comparisons of two methods in single columns, and one judgement over all that a claim needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sparsitysolver.config.registry import PERPLEXITY_METRIC
from sparsitysolver.reporting.claims.rules import (
    ClaimVerdict,
    Finding,
    Judgement,
    Quantifier,
    all_of,
    not_run,
    over_columns,
)
from sparsitysolver.reporting.compare.intervals import difference_interval
from sparsitysolver.reporting.compare.paired import in_unit, interval_over


@dataclass(frozen=True)
class Comparison:
    """Two methods in one column: the finding, and where there are samples the paired differences behind it, by task.

    Differences are arrays of shape (seeds, windows or items).
    """

    finding: Finding
    metric: str
    strata: Mapping[str, np.ndarray] | None


@dataclass(frozen=True)
class Blocked:
    """Two rows of a column that may not be compared: the verdict that this is, and why."""

    verdict: ClaimVerdict
    reason: str


@dataclass(frozen=True)
class Compared:
    """One column: what was compared there and what was not.

    Attributes:
        model: the column's model.
        comparisons: of rows that removed the same.
        blocked: rivals that no row which removed the same stands for.
        unequal: why rows were left out beside which another stood for them.
        equals: these other rows.
        lacking: why rivals have no number there.
    """

    model: str
    comparisons: tuple[Comparison, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    unequal: tuple[str, ...] = ()
    equals: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def verdict(self) -> ClaimVerdict:
        """Of all comparisons, one or more."""
        return all_of([comparison.finding.verdict for comparison in self.comparisons])

    @property
    def counts(self) -> bool:
        """Whether a claim may rest on the column: a rival that was not compared may be the better one.

        Where one that was compared is better, the claim fails there whatever the other is.
        """
        return bool(self.comparisons) and (not self.blocked or self.verdict is ClaimVerdict.FAILS)


def judge(columns: Sequence[Compared], quantifier: Quantifier, left_out: Sequence[str] = ()) -> Judgement:
    """The verdict over all columns, with their mean effect, or the best column's where the claim is about some.

    Args:
        columns: what was compared.
        quantifier: in how many columns the claim must hold.
        left_out: why there are no others.
    """
    counted = [column for column in columns if column.counts]
    if not counted:
        return _without_verdict(columns, left_out)
    comparisons = [comparison for column in counted for comparison in column.comparisons]
    findings, metric = [comparison.finding for comparison in comparisons], comparisons[0].metric
    shown, interval = _best_column(comparisons) if quantifier == "some" else _pooled(comparisons)
    where = _where(findings) if quantifier != "all" else ""
    return Judgement(
        over_columns(findings, quantifier),
        *(shown.effect, shown.low, shown.high),
        unit="% perplexity" if metric == PERPLEXITY_METRIC else "points",
        n=shown.n,
        models=models_of(findings),
        note="; ".join(filter(None, [where, *_notes(columns, left_out)])),
        interval=interval,
    )


def _without_verdict(columns: Sequence[Compared], left_out: Sequence[str]) -> Judgement:
    """Nothing that may be compared, or nothing at all."""
    verdicts = [blocked.verdict for column in columns for blocked in column.blocked]
    note = "; ".join(_notes(columns, left_out))
    if not verdicts:
        return not_run(note or "no cells")
    unequal = ClaimVerdict.UNEQUAL in verdicts
    models = tuple(dict.fromkeys(column.model for column in columns if column.blocked))
    return Judgement(ClaimVerdict.UNEQUAL if unequal else ClaimVerdict.NOT_COMPARABLE, models=models, note=note)


def _notes(columns: Sequence[Compared], left_out: Sequence[str]) -> list[str]:
    """What was judged in place of what, every pair that was not compared, and what else was left out, in short."""
    equals = dict.fromkeys(row for column in columns for row in column.equals)
    refused = [*(reason for column in columns for reason in column.unequal)]
    refused += [blocked.reason for column in columns for blocked in column.blocked]
    lacking = [*left_out, *(reason for column in columns for reason in column.lacking)]
    return [
        *([f"judged on {', '.join(equals)} too"] if equals else []),
        *([f"not compared: {'; '.join(dict.fromkeys(refused))}"] if refused else []),
        *filter(None, [summary(lacking)]),
    ]


def _best_column(comparisons: Sequence[Comparison]) -> tuple[Finding, str]:
    """The finding that a claim about some columns rests on: the closest rival in the column where that is farthest."""

    def least(comparison: Comparison) -> float:
        finding = comparison.finding
        return finding.effect if finding.low is None else finding.low

    columns = dict.fromkeys(comparison.finding.column for comparison in comparisons)
    closest = [min((c for c in comparisons if c.finding.column == column), key=least) for column in columns]
    best = max(closest, key=least)
    return best.finding, interval_over(list(best.strata.values()), best.metric) if best.strata else ""


def _where(findings: Sequence[Finding]) -> str:
    """In which columns a claim about some or most of them holds."""
    columns = list(dict.fromkeys(finding.column for finding in findings))
    verdicts = {c: over_columns([f for f in findings if f.column == c], "all") for c in columns}
    holding = [column for column in columns if verdicts[column] is ClaimVerdict.HOLDS]
    return f"holds in {len(holding)} of {len(columns)}{': ' if holding else ''}{', '.join(holding)}"


def _pooled(comparisons: Sequence[Comparison]) -> tuple[Finding, str]:
    """The mean of all findings with its interval; losses are averaged as logarithms, points as they are."""
    findings, metric = [comparison.finding for comparison in comparisons], comparisons[0].metric
    if any(comparison.strata is None for comparison in comparisons):
        if len(findings) == 1:
            return findings[0], ""
        effects = np.array([finding.effect for finding in findings])
        of_logarithms = metric == PERPLEXITY_METRIC
        mean = in_unit(float(np.log1p(effects / 100).mean()), metric) if of_logarithms else float(effects.mean())
        return Finding("", "", mean, n=len(findings)), ""
    strata = _pooled_strata(comparisons)
    mean = float(np.mean([stratum.mean() for stratum in strata]))
    ends = (in_unit(value, metric) for value in (mean, *difference_interval(strata)))
    return Finding("", "", *ends, n=sum(stratum.shape[1] for stratum in strata)), interval_over(strata, metric)


def _pooled_strata(comparisons: Sequence[Comparison]) -> list[np.ndarray]:
    """One stratum per model and task: rivals and sparsities share windows or items, so these are averaged first."""
    shared: dict[tuple[str, str], list[np.ndarray]] = {}
    for comparison in comparisons:
        for task, differences in comparison.strata.items():
            shared.setdefault((comparison.finding.model, task), []).append(differences)
    return [_mean_over_rivals(differences) for differences in shared.values()]


def _mean_over_rivals(differences: Sequence[np.ndarray]) -> np.ndarray:
    """Seed by seed where all have the same number of them, else of their means."""
    alike = len({len(of_rival) for of_rival in differences}) == 1
    return np.mean([d if alike else d.mean(axis=0, keepdims=True) for d in differences], axis=0)


def models_of(findings: Sequence[Finding]) -> tuple[str, ...]:
    """The models of some findings, each once."""
    return tuple(dict.fromkeys(finding.model for finding in findings))


def summary(left_out: Sequence[str]) -> str:
    """What was not judged, in a few words."""
    distinct = list(dict.fromkeys(left_out))
    more = f" and {len(distinct) - 2} more" if len(distinct) > 2 else ""
    return f"not judged: {'; '.join(distinct[:2])}{more}" if distinct else ""
