"""From effects to a verdict: the stated rules by which every claim of the paper is judged.

An effect is oriented so that a positive one speaks for the claim. Four kinds of test, by what was observed:

- *paired*: one method against others, in columns (a model, a model at a sparsity, a task, a setting). Each comparison
  has an interval over paired windows or items, and seeds where there are several. Unless a claim says ``some`` or
  ``most``, it holds where every interval lies above zero, fails where any lies below, and is inside the noise
  otherwise. Models that removed different amounts are not compared.
- *runs*: searches or strategies, one per model and seed. One Student interval of their mean decides.
- *within*: numbers with an allowed range. All must lie within it.
- *monotone*: series along an axis. Every step of all must go the way claimed.

Where there is no interval (no samples, a single run) the sign decides; the row then shows none.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, model_validator

from sparsitysolver.config.contract import Contract
from sparsitysolver.config.tables import tables
from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.reporting.claims.results import Results
from sparsitysolver.reporting.compare.verdicts import Verdict

TableName = Annotated[str, AfterValidator(lambda name: known("table", name, tables()))]


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim by the module's rules; the mean effect and its interval, None where there is none."""

    verdict: Verdict
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""  # of the three
    n: int = 0  # windows, items, runs or numbers that the effect rests on
    models: tuple[str, ...] = ()  # those judged
    note: str = ""  # what a reader must know besides, such as what was left out
    interval: str = ""  # over what it was taken; empty where there is none

    @property
    def opposite(self) -> "Judgement":
        """The judgement on the opposite claim: a positive effect then speaks for that one."""
        effect, low, high = (None if end is None else -end for end in (self.effect, self.high, self.low))
        return replace(self, verdict=self.verdict.opposite, effect=effect, low=low, high=high)


class NotJudgedError(Exception):
    """Nothing to judge by (``NOT_RUN``), or results that say nothing about the claim (``NOT_COMPARABLE``)."""

    def __init__(self, verdict: Verdict, note: str) -> None:
        super().__init__(note)
        self.verdict = verdict


class Kind(Contract, ABC):
    """How a claim is tested: a measure of the results, with its parameters, and what its values must be.

    Every kind is a subclass. ``measures`` are functions from results to numbers, by name: their parameters, as far as
    the kind has fields of that name, are what a claim gives with the measure. ``own`` are fields that the kind reads
    whatever the measure.
    """

    measures: ClassVar[Mapping[str, Callable[..., Any]]]
    own: ClassVar[tuple[str, ...]] = ()
    kind: str
    measure: str

    def judge(self, results: Results) -> Judgement:
        """The verdict on the results of the models that the claim is about."""
        try:
            return self.verdict_on(results)
        except NotJudgedError as found:
            return Judgement(found.verdict, note=str(found))

    @abstractmethod
    def verdict_on(self, results: Results) -> Judgement:
        """As :meth:`judge`.

        Raises:
            NotJudgedError: there is nothing to judge, or it may not be judged.
        """

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword parameters of the measure, as far as they are given."""
        given = [p.name for p in self._parameters() if p.kind is p.KEYWORD_ONLY and p.name in self.model_fields_set]
        return {name: getattr(self, name) for name in given}

    def _parameters(self) -> list[inspect.Parameter]:
        parameters = inspect.signature(self.measures[self.measure]).parameters.values()
        return [parameter for parameter in parameters if parameter.name in type(self).model_fields]

    @model_validator(mode="after")
    def _fits_its_measure(self) -> "Kind":
        known(f"measure of kind '{self.kind}'", self.measure, self.measures)
        needed = {parameter.name: parameter.default is parameter.empty for parameter in self._parameters()}
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        given -= {"kind", "measure", *self.own}
        for name in sorted(given):
            known(f"parameter of {self.measure}", name, needed)
        for name in sorted(needed.keys() - given):
            if needed[name]:
                raise SparsitySolverError(f"{self.measure} needs '{name}'.")
        return self


def number(count: int, what: str) -> str:
    """``1 model``, ``3 models``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def each_once(names: Iterable[str]) -> tuple[str, ...]:
    """Names in their order, each once."""
    return tuple(dict.fromkeys(names))
