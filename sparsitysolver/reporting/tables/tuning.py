"""On which texts a row was tuned: calibrated, repaired, and rewarded in a search."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from sparsitysolver.config.tables import DASH


@dataclass(frozen=True)
class Tuning:
    """The texts that a pruned model has seen.

    Attributes:
        calibration: sources of the calibration windows.
        reconstruction: sources of the windows that reconstruction regressed on.
        reward: sources that candidates of the search were scored on, with the split, such as ``c4 (validation)``.
    """

    calibration: tuple[str, ...] = ()
    reconstruction: tuple[str, ...] = ()
    reward: tuple[str, ...] = ()

    @property
    def sources(self) -> frozenset[str]:
        """Every source, splits left out."""
        rewards = (reward.split(" (")[0] for reward in self.reward)
        return frozenset((*self.calibration, *self.reconstruction, *rewards))

    @property
    def text(self) -> str:
        """All of it in a few words; what is repaired on the calibration's own text goes without saying."""
        repair = self.reconstruction if self.reconstruction != self.calibration else ()
        parts = (("", self.calibration), ("reconstruction on ", repair), ("reward on ", self.reward))
        return ", ".join(f"{words}{' and '.join(sources)}" for words, sources in parts if sources) or DASH

    @classmethod
    def joined(cls, parts: Iterable["Tuning"]) -> "Tuning":
        """The texts of several numbers that one is made of."""
        every = list(parts)
        return cls(
            *(
                tuple(sorted({source for one in every for source in getattr(one, role)}))
                for role in ("calibration", "reconstruction", "reward")
            )
        )


def tuning_of(cells: pd.DataFrame) -> Tuning:
    """The texts of some rows of ``cells.csv`` that belong to one entry."""
    rewards = {
        f"{source} ({split})" if split else source
        for source, split in zip(cells["reward_source"], cells["reward_split"], strict=True)
        if source
    }
    return Tuning(
        *(tuple(sorted(set(cells[column]) - {""})) for column in ("calibration_source", "reconstruction_source")),
        tuple(sorted(rewards)),
    )
