"""What a figure is called and made of: ``config/figures/NAME.yaml``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sparsitysolver import CONFIG
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.reporting.plots.contracts import CONTRACTS

_KEYS = ("title", "caption", "needs")


@dataclass(frozen=True)
class FigureDefinition:
    """A figure as defined in ``config/figures``.

    Attributes:
        name: the file's stem, ``figureN``.
        title: a line that says what is shown.
        caption: what is shown and how to read it; words in braces are filled in from the data.
        data: kinds of results that its ``needs`` come from, read as ``results/KIND_NAME.csv``.
        settings: everything else in the file.
    """

    name: str
    title: str
    caption: str
    data: tuple[str, ...]
    settings: Mapping[str, Any]

    def setting(self, key: str) -> Any:
        """A setting that the figure cannot be drawn without."""
        if key not in self.settings:
            raise SparsitySolverError(
                f"config/figures/{self.name}.yaml: '{key}' is missing; the figure is drawn by it."
            )
        return self.settings[key]

    def panels(self, known: tuple[str, ...]) -> list[str]:
        """The panels to draw, in order: those of ``panels``, else all that there are."""
        chosen = list(self.settings.get("panels", known))
        for panel in chosen:
            if panel not in known:
                raise unknown_name(f"panel of {self.name}", panel, known)
        return chosen

    def filled_caption(self, facts: Mapping[str, str]) -> str:
        """The caption with what the data say."""
        try:
            return self.caption.format_map(facts)
        except KeyError as error:
            raise SparsitySolverError(
                f"config/figures/{self.name}.yaml: the caption asks for {{{error.args[0]}}}; known: "
                f"{', '.join(sorted(facts))}."
            ) from error


def load_figure(name: str, config: Path = CONFIG) -> FigureDefinition:
    """Read and check ``config/figures/NAME.yaml``.

    Raises:
        SparsitySolverError: no such figure, a missing key, or an unknown kind of results.
    """
    path = config / "figures" / f"{name}.yaml"
    if not path.is_file():
        raise unknown_name("figure", name, (file.stem for file in (config / "figures").glob("*.yaml")))
    content = yaml.safe_load(path.read_text())
    missing = [key for key in _KEYS if not content.get(key)]
    if missing:
        raise SparsitySolverError(f"{path}: '{missing[0]}' is missing.")
    kinds = tuple(dict.fromkeys(need["from"] for need in content["needs"]))
    for kind in kinds:
        if kind not in CONTRACTS:
            raise unknown_name(f"kind of results in {path}", kind, CONTRACTS)
    settings = {key: value for key, value in content.items() if key not in _KEYS}
    return FigureDefinition(name, content["title"], content["caption"].strip(), kinds, settings)
