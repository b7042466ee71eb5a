"""Verdicts of claims' tests on made-up results, whose methods need not exist."""

from sparsitysolver.reporting.claims.definition import KINDS
from sparsitysolver.reporting.claims.results import Results
from sparsitysolver.reporting.claims.rules import Judgement
from sparsitysolver.reporting.compare.verdicts import Verdict

HOLDS, FAILS, NOISE = Verdict.HOLDS, Verdict.FAILS, Verdict.NOISE
NOT_RUN, UNEQUAL, NOT_COMPARABLE = Verdict.NOT_RUN, Verdict.UNEQUAL, Verdict.NOT_COMPARABLE


def judged(results: Results, kind: str, measure: str, **fields: object) -> Judgement:
    """What a test of a kind says; no name is checked, as a claims file's are."""
    return KINDS[kind].model_construct(measure=measure, **fields).judge(results)


def better(results: Results, better: str, worse: list[str], **fields: object) -> Judgement:
    """Whether a method's cells are better than those of others."""
    return judged(results, "paired", "quality", method=better, than=tuple(worse), **fields)


def best_of(results: Results, method: str, **fields: object) -> Judgement:
    """Whether a method is the best of a table's pruned rows."""
    return judged(results, "paired", "quality", method=method, than=(), **fields)


def fewer_parameters(results: Results, method: str, than: str, **fields: object) -> Judgement:
    """Whether a method leaves fewer parameters than another."""
    return judged(results, "paired", "parameters", method=method, than=(than,), **fields)


def faster(results: Results, phase: str, method: str, than: str = "dense", **fields: object) -> Judgement:
    """Whether a method's models are faster than another's."""
    return judged(results, "paired", phase, method=method, than=(than,), **fields)


def of_runs(results: Results, measure: str, **fields: object) -> Judgement:
    """What a measure says over runs."""
    return judged(results, "runs", measure, **fields)


def within(results: Results, measure: str, **fields: object) -> Judgement:
    """Whether numbers lie in a range."""
    return judged(results, "within", measure, **fields)
