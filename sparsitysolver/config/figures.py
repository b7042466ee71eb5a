"""What figures and studies are called and made of: ``config/figures/NAME.yaml``, ``config/studies/NAME.yaml``."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model, model_validator

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, Numbers, read_yaml
from sparsitysolver.config.registry import MethodKey
from sparsitysolver.errors import SparsitySolverError, known

KINDS = ("cells", "strategies", "curves", "inference", "reconstruction")  # of results that a grid plans
ANYTIME = "anytime"  # curves of the arena, which has its own plan
Kind = Annotated[str, AfterValidator(lambda kind: known("kind of results", kind, (*KINDS, ANYTIME)))]


class Need(Contract):
    """Results that a figure or study is made of; numbers of seeds, models and samples where not all are needed."""

    kind: Kind = Field(alias="from")
    methods: tuple[MethodKey, ...] = ()  # none for reconstruction studies, which are the uniform strategy's
    sparsities: Numbers = Field((), alias="sparsity")
    seeds: int | None = None
    models: int | None = None
    samples: tuple[int, ...] | None = None

    @model_validator(mode="after")
    def _has_sparsities(self) -> "Need":
        if self.kind != ANYTIME and not self.sparsities:
            raise ValueError("'sparsity' is missing")
        return self


class Study(Contract):
    """Measurements that are made for a figure, or for claims alone; ``name`` is the file's stem."""

    name: str = Field("", exclude=True)
    title: str
    needs: Annotated[tuple[Need, ...], Field(min_length=1)]
    first_model: int = 0  # among those of the grid, which may name models for it instead
    models: int | None = None

    @property
    def kinds(self) -> list[str]:
        """Kinds of results that it is made of, read as ``results/KIND_NAME.csv``."""
        return list(dict.fromkeys(need.kind for need in self.needs))


# Panels of one granularity: at which sparsity, of how many models, of which method.
PanelChoice = create_model(
    "PanelChoice", __base__=Contract, sparsity=float, models=int, method=(MethodKey | None, None)
)
# The first episode whose perplexity is within ``tolerance`` of the best of the first ``horizon``.
Within = create_model("Within", __base__=Contract, tolerance=float, horizon=int)


class FigureDefinition(Study):
    """A figure: words in braces of its caption are filled in from the data, its script asks for the other settings."""

    caption: str
    panels: tuple[str, ...] = ()
    sparsity: float | None = None
    seeds_sparsity: float | None = None
    method: MethodKey | None = None
    structured: PanelChoice | None = None
    unstructured: PanelChoice | None = None
    families: dict[str, tuple[str, ...]] | None = None
    window: int | None = None
    show: tuple[Literal["episodes", "best", "uniform"], ...] = ()
    within: Within | None = None
    split: str | None = None
    phase: Literal["prefill", "decode"] | None = None

    def setting(self, key: str) -> Any:
        """A setting that the figure cannot be drawn without."""
        if getattr(self, key) is None:
            where = f"config/figures/{self.name}.yaml"
            raise SparsitySolverError(f"{where}: '{key}' is missing; the figure is drawn by it.")
        return getattr(self, key)

    def shown(self, panels: tuple[str, ...]) -> list[str]:
        """The panels to draw, in order: those of ``panels``, else all that there are."""
        return [known(f"panel of {self.name}", panel, panels) for panel in self.panels] or list(panels)

    def filled_caption(self, facts: Mapping[str, str]) -> str:
        """The caption with what the data say."""
        try:
            return self.caption.strip().format_map(facts)
        except KeyError as error:
            where, allowed = f"config/figures/{self.name}.yaml", ", ".join(sorted(facts))
            said = f"{where}: the caption asks for {{{error.args[0]}}}; known: {allowed}."
            raise SparsitySolverError(said) from error


def _names(pattern: str) -> list[str]:
    """Stems of files of the configuration, in the order of their numbers."""
    return sorted((path.stem for path in CONFIG.glob(pattern)), key=lambda name: (len(name), name))


figures = functools.partial(_names, "figures/figure*.yaml")  # names of the paper's figures
studies = functools.partial(_names, "studies/*.yaml")  # names of the studies


def load_figure(name: str, config: Path = CONFIG) -> FigureDefinition:
    """Read and check ``config/figures/NAME.yaml``."""
    files = {path.stem: path for path in (config / "figures").glob("*.yaml")}
    return read_yaml(files[known("figure", name, files)], FigureDefinition, name=name)


def load_study(name: str, config: Path = CONFIG) -> Study:
    """Read and check ``config/studies/NAME.yaml``."""
    return read_yaml(config / "studies" / f"{name}.yaml", Study, name=name)
