"""One number of a table: the mean over seeds and what it rests on, or the reason why there is none."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sparsitysolver.config.tables import DASH
from sparsitysolver.reporting.compare.comparability import DENSE, Measurement, Removed, other_texts

_UNITS = ((1e9, "B"), (1e6, "M"), (1e3, "k"))
DECIMALS = 2  # as the paper prints perplexities and accuracies


class Tuning(NamedTuple):
    """Sources of the texts that a model has seen: calibration windows, those that reconstruction regressed on, rewards.

    Rewards of a search come with their split, such as ``c4 (validation)``.
    """

    calibration: tuple[str, ...] = ()
    reconstruction: tuple[str, ...] = ()
    reward: tuple[str, ...] = ()

    @property
    def sources(self) -> frozenset[str]:
        """Every source, splits left out."""
        return frozenset((*self.calibration, *self.reconstruction, *(reward.split(" (")[0] for reward in self.reward)))

    @property
    def text(self) -> str:
        """All of it in a few words; what is repaired on the calibration's own text goes without saying."""
        repair = self.reconstruction if self.reconstruction != self.calibration else ()
        parts = (("", self.calibration), ("reconstruction on ", repair), ("reward on ", self.reward))
        return ", ".join(f"{words}{' and '.join(sources)}" for words, sources in parts if sources) or DASH

    @classmethod
    def joined(cls, parts: Iterable["Tuning"]) -> "Tuning":
        """The texts of several numbers that one is made of."""
        return cls(*(tuple(sorted({source for part in role for source in part})) for role in zip(*parts, strict=True)))


@dataclass(frozen=True)
class Entry:
    """One number of a table.

    Attributes:
        value: mean over seeds, as tables print it (accuracies in percent); None where every seed was skipped.
        sd: sample standard deviation over seeds; None for fewer than two.
        by_seed: the value of each seed measured.
        achieved_sparsity: mean over seeds, fraction of prunable weights removed.
        parameters: mean over seeds, all parameters of the pruned model.
        measured: what the number was measured on; None where there is none, or it was read from curves.
        tuning: the texts that the method was tuned on.
        reason: why a combination was skipped, for the footnote; empty otherwise.
        cells: the content keys of the cells behind the number, in the order of their seeds.
        decimals: as the table prints it.
    """

    value: float | None
    sd: float | None = None
    by_seed: dict[int, float] = field(default_factory=dict)
    achieved_sparsity: float | None = None
    parameters: float | None = None
    measured: Measurement | None = None
    tuning: Tuning = Tuning()
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
        """What was taken from the model; without a method where nothing was measured."""
        return Removed(self.achieved_sparsity, self.parameters, self.measured.method if self.measured else "")

    @property
    def details(self) -> dict[str, str]:
        """What the extended table says beside the number."""
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
    if None in (first.value, second.value) or DENSE in (first.removed.method, second.removed.method):
        return ""
    return other_texts(first.tuning.sources, second.tuning.sources)
