"""``config/grids/NAME.yaml``: which models and tasks a grid has, and how it searches (no torch)."""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, NonNegativeInt, PositiveInt

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, read_yaml
from sparsitysolver.config.registry import TaskKey
from sparsitysolver.errors import SparsitySolverError, known

DEFAULT_TASKS = ["boolq", "piqa", "hellaswag", "winogrande", "arc_easy", "arc_challenge", "openbookqa"]
STUDY_SAMPLES = [1, 2, 4, 8, 16, 32, 64, 128]  # of reconstruction (figure 5)
_ENDING = "_search"  # of the settings of one kind of search


class SearchOptions(Contract):
    """Options of ``sparsitysolver search`` that a grid sets for one kind of search; see that command."""

    episodes: PositiveInt
    reward_windows: NonNegativeInt | None = None
    rescore_windows: NonNegativeInt | None = None
    reward_items: NonNegativeInt | None = None
    rescore_items: NonNegativeInt | None = None
    rescore_top: NonNegativeInt | None = None
    reward: str | None = None
    reward_split: str | None = None
    budget: str | None = None
    criterion: str | None = None
    a_min: float | None = None
    a_max: float | None = None


class GridSettings(Contract):
    """A grid as its file has it."""

    model_config = ConfigDict(extra="allow")

    models: list[str] = []  # keys of config/models.tsv, or folders of an assets folder: all where none is named
    task: TaskKey  # of perplexity, and the text of search and calibration
    torch_threads: PositiveInt | None = None  # by the model's size where not set
    dtype: str = "auto"
    max_nsamples: PositiveInt | None = None  # the most calibration windows
    texts: dict[str, str] = {}  # what stands for the methods' own texts, by their names
    tasks: list[str] = DEFAULT_TASKS
    limit: PositiveInt | None = None  # of items of a zero-shot task
    study_samples: list[PositiveInt] = STUDY_SAMPLES
    inference: dict[Literal["rounds", "batch", "prompt_tokens", "new_tokens"], PositiveInt] = {}
    own_models: dict[str, list[str]] = {}  # of single tables, figures and studies
    search: SearchOptions  # of the usual searches
    __pydantic_extra__: dict[str, SearchOptions]

    @classmethod
    def also_takes(cls, name: str) -> bool:
        """Options of searches of another kind: ``NAME_search``."""
        return name.endswith(_ENDING)

    @property
    def kinds(self) -> dict[str, SearchOptions]:
        """Options of searches of another kind than the usual ones, by its name."""
        return {name.removesuffix(_ENDING): options for name, options in self.__pydantic_extra__.items()}

    @property
    def all_models(self) -> list[str]:
        """The models of the grid and of single targets, each once; none where an assets folder decides."""
        own = [model for models in self.own_models.values() for model in models]
        return list(dict.fromkeys([*self.models, *own])) if self.models else []


def check_models(grid: str, models: Iterable[str], where: Path) -> None:
    """Refuse results of models that a grid does not have; nothing is known of grids without a file."""
    of_grid = load_grid(grid).all_models if grid in grids() else []
    foreign = [model for model in models if of_grid and model not in of_grid]
    if foreign:
        raise SparsitySolverError(
            f"{where} is not of grid '{grid}': found {', '.join(foreign)}; the grid has {', '.join(of_grid)}. "
            "Make it anew, or name its grid."
        )


def grids() -> dict[str, Path]:
    """The files of all grids by name."""
    return {path.stem: path for path in (CONFIG / "grids").glob("*.yaml")}


@functools.cache
def load_grid(name: str) -> GridSettings:
    """Read and check ``config/grids/NAME.yaml``.

    Raises:
        SparsitySolverError: no such grid, or a mistake in its file.
    """
    return read_yaml(grids()[known("grid", name, grids())], GridSettings)
