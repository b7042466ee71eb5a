"""Settings: of a grid, ``config/grids/NAME.yaml``, and of one run over them, ``--config NAME=VALUE`` (no torch)."""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, NonNegativeInt, PositiveInt, ValidationInfo

from sparsitysolver import CONFIG
from sparsitysolver.config.chat_address import URL_VARIABLE, address_of
from sparsitysolver.config.contract import Contract, checked, read_yaml
from sparsitysolver.config.registry import TaskKey
from sparsitysolver.errors import SparsitySolverError, known

DEFAULT_TASKS = ["boolq", "piqa", "hellaswag", "winogrande", "arc_easy", "arc_challenge", "openbookqa"]
STUDY_SAMPLES = [1, 2, 4, 8, 16, 32, 64, 128]  # of reconstruction (figure 5)
TASK_SEARCH = "task"  # kind of the settings of searches rewarded on a task
_CHAT = ("chat_url", "chat_model", "replay")


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
    """A grid as its file has it; other fields, ``NAME_search``, are options of searches of another kind."""

    model_config = ConfigDict(extra="allow")
    other_names = ".*_search"

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

    @property
    def kinds(self) -> dict[str, SearchOptions]:
        """Options of searches of another kind than the usual ones, by its name."""
        return {name.removesuffix("_search"): options for name, options in self.__pydantic_extra__.items()}

    @property
    def all_models(self) -> list[str]:
        """The models of the grid and of single targets, each once; none where an assets folder decides."""
        return list(dict.fromkeys([*self.models, *sum(self.own_models.values(), [])])) if self.models else []


def check_models(grid: str, models: Iterable[str], where: Path) -> None:
    """Refuse results of models that a grid does not have; nothing is known of grids without a file.

    A run may name others (``models=``), but none of the tiny grid's on another grid, nor others there.
    """
    of_grid = load_grid(grid).all_models if grid in grids() else []
    tiny = load_grid("tiny").all_models
    foreign = [model for model in models if of_grid and (model not in tiny if grid == "tiny" else model in tiny)]
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
    """Read and check ``config/grids/NAME.yaml``."""
    return read_yaml(grids()[known("grid", name, grids())], GridSettings)


def _count(given: Any, name: str) -> int:
    if not str(given).isdecimal() or int(given) < 1:
        raise SparsitySolverError(f"{name}={given}: a number of at least 1 is needed.")
    return int(given)


def _parts(given: Any) -> list[str]:
    """``[a, b]``, ``a,b``, or one that reads as a number."""
    parts = given.split(",") if isinstance(given, str) else given if isinstance(given, list | tuple) else [given]
    return [str(part).strip() for part in parts]


def names_in(config: Mapping[str, Any]) -> list[str]:
    """The models that a run asks for, before anything else of it is read."""
    given = config.get("models")
    return [] if given in (None, "") or isinstance(given, Mapping) else _parts(given)


def _no_empty(names: list[str], info: ValidationInfo) -> list[str]:
    if "" in names:
        raise SparsitySolverError(
            f"{info.field_name}={','.join(names)}: an empty name stands between commas or at an end; remove the comma."
        )
    return names


def _tokens(given: Any, info: ValidationInfo) -> int:
    if not str(given).isdecimal() or int(given) < 2:
        raise SparsitySolverError(f"{info.field_name}={given}: a window length of at least 2 tokens is needed.")
    return int(given)


def _seeds(given: Any) -> list[str]:
    seeds = _parts(given)
    if not seeds or not all(seed.isdecimal() for seed in seeds):
        raise SparsitySolverError(f"seeds={given}: seed indices such as 0 or 0,1,2 are needed.")
    return seeds


def _no_mapping(given: Any, info: ValidationInfo) -> Any:
    if isinstance(given, Mapping):
        raise SparsitySolverError(
            f"{info.field_name}={dict(given)}: Snakemake reads settings as YAML, where ': ' makes a mapping; quote the "
            f"value once more, --config '{info.field_name}=\"…\"'."
        )
    return given


Count = Annotated[int, BeforeValidator(lambda given, info: _count(given, info.field_name))]
Tokens = Annotated[int, BeforeValidator(_tokens)]
Names = Annotated[list[str], AfterValidator(_no_empty), BeforeValidator(_parts), BeforeValidator(_no_mapping)]


class Run(Contract):
    """What a run gives, over its grid's settings."""

    grid: str = "tiny"
    assets: Annotated[str | None, BeforeValidator(_no_mapping)] = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Count | None = None
    dtype: Literal["auto", "float32", "float16", "bfloat16"] | None = None
    nsamples: Count | None = None  # calibration windows, in place of the methods' own numbers
    calibration_seqlen: Tokens | None = None  # their length
    windows: Count | None = None  # of the text that is evaluated, spread evenly
    seqlen: Tokens | None = None  # length of windows evaluated, and of those that searches are rewarded on
    seeds: Annotated[list[str], BeforeValidator(_seeds)] = ["0"]
    models: Names = []
    tasks: Names = []
    limit: Count | None = None
    bos: Literal["none", "first", "every"] | None = None  # the family's where not given; see config/bos.py
    items: str = "report"
    search_items: str = "search"  # report: the paper's practice, which is flagged
    arena_seeds: Count | None = None
    episodes: Count | None = None
    reward_windows: Count | None = None
    reward_items: Count | None = None
    budget: str | None = None
    reward: str | None = None
    reward_split: str | None = None
    criterion: str | None = None
    inference_rounds: Count | None = None
    inference_batch: Count | None = None
    inference_prompt_tokens: Count | None = None
    inference_new_tokens: Count | None = None
    chat_url: str | None = None
    chat_model: str | None = None
    replay: str | None = None
    kinds: dict[str, int] = {}  # episodes of kinds of searches: NAME_episodes

    @property
    def protocol(self) -> dict[str, Any]:
        """What the run changes of how numbers are measured and methods calibrated, as its pages name it."""
        return self._given("nsamples", "calibration_seqlen", "windows", "seqlen", "dtype", "bos")

    @property
    def protocol_words(self) -> str:
        """The same as words of a command, with a blank behind them; empty where nothing is changed."""
        words = "".join(f"{name}={value} " for name, value in self.protocol.items())
        return f"--settings {words}" if words else ""

    def evaluated(self, *names: str) -> dict[str, Any]:
        """Those of ``windows`` and ``seqlen`` that are given, as options of commands."""
        return self._given(*(names or ("windows", "seqlen")))

    def _given(self, *names: str) -> dict[str, Any]:
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @property
    def chat(self) -> dict[str, str]:
        """Who answers Self-Pruner's prompts, as options of ``search``; empty where nobody is named.

        The endpoint of ``chat_model`` may come from the environment; what stands here, and so in keys and logs, is
        its public part alone.
        """
        given = self._given(*_CHAT)
        if "://" in given.get("chat_model", ""):
            raise SparsitySolverError(
                f"chat_model is the model's name: give the endpoint's address by chat_url, or by {URL_VARIABLE}."
            )
        if "chat_url" in given or ("chat_model" in given and "replay" not in given):
            address = address_of(given.get("chat_url"), "chat_url of --config")
            given |= {"chat_url": address.shown} if address else {}
        return {name: given[name] for name in _CHAT if name in given}

    def inference(self, grid: GridSettings) -> dict[str, int]:
        """How inference is measured, where grid or run say: options of ``bench inference``."""
        given = self._given(*(name for name in type(self).model_fields if name.startswith("inference_")))
        return grid.inference | {name.removeprefix("inference_"): value for name, value in given.items()}

    def searches(self, grid: GridSettings) -> dict[str, dict[str, Any]]:
        """Options of searches by kind: the usual ones by granularity, and the grid's kinds.

        ``episodes`` and other settings of a run go to the usual searches, ``NAME_episodes`` to a kind of its own.
        Searches on a task count ``reward_items`` in place of windows, and only structured ones choose a criterion.
        """
        windows = self._given("reward_windows", "budget", "reward", "reward_split")
        usual = grid.search.model_dump(exclude_unset=True) | windows | self._given("episodes")
        found = {"structured": usual | self._given("criterion"), "unstructured": usual}
        for kind, options in grid.kinds.items():
            of_task = self._given("reward_items", "budget")
            given = of_task if kind == TASK_SEARCH else windows | self._given("criterion")
            episodes = {"episodes": self.kinds[kind]} if kind in self.kinds else {}
            found[kind] = options.model_dump(exclude_unset=True) | given | episodes
        return found


def read_run(config: Mapping[str, Any], kinds: Iterable[str]) -> Run:
    """The settings of a run on a grid with these ``kinds`` of searches, of what Snakemake has read, checked.

    Raises:
        SparsitySolverError: a setting that nothing reads (a misspelt one would leave the grid's own in force without a
            word), or one that is not what it must be.
    """
    episodes = {f"{kind}_episodes": kind for kind in kinds}
    settings = [*(name for name in Run.model_fields if name != "kinds"), *episodes]
    named = {known("setting of a run (--config)", name, settings): value for name, value in config.items()}
    given = {name: value for name, value in named.items() if value is not None and value != ""}
    of_kinds = {kind: _count(given.pop(name), name) for name, kind in episodes.items() if name in given}
    return checked(Run, given | {"kinds": of_kinds})
