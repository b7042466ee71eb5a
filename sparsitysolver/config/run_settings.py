"""Settings of one run, ``--config NAME=VALUE``: which there are, what they must be, what they change (no torch)."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ValidationInfo

from sparsitysolver.config.chat_address import URL_VARIABLE, address_of
from sparsitysolver.config.contract import Contract, checked
from sparsitysolver.config.grid_settings import GridSettings
from sparsitysolver.errors import SparsitySolverError, known

TASK_SEARCH = "task"  # kind of the settings of searches rewarded on a task
_EPISODES = "_episodes"  # ends the setting of a kind of search
_CHAT = ("chat_url", "chat_model", "replay")


def _count(given: Any, name: str) -> int:
    if not str(given).isdecimal() or int(given) < 1:
        raise SparsitySolverError(f"{name}={given}: a number of at least 1 is needed.")
    return int(given)


def _parts(given: Any) -> list[str]:
    """``[a, b]``, ``a,b``, or one that reads as a number."""
    parts = given.split(",") if isinstance(given, str) else given if isinstance(given, list | tuple) else [given]
    return [str(part).strip() for part in parts]


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
Names = Annotated[list[str], BeforeValidator(_parts), BeforeValidator(_no_mapping)]


class Run(Contract):
    """What a run gives, over its grid's settings."""

    grid: str = "tiny"
    assets: Annotated[str | None, BeforeValidator(_no_mapping)] = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Count | None = None
    seeds: Annotated[list[str], BeforeValidator(_seeds)] = ["0"]
    models: Names = []
    tasks: Names = []
    limit: Count | None = None
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
    def chat(self) -> dict[str, str]:
        """Who answers Self-Pruner's prompts, as options of ``search``; empty where nobody is named.

        The endpoint of ``chat_model`` may come from the environment; what stands here, and so in keys and logs, is
        its public part alone.
        """
        given = self._given(set(_CHAT))
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
        start = "inference_"
        given = self._given({name for name in type(self).model_fields if name.startswith(start)})
        return grid.inference | {name.removeprefix(start): value for name, value in given.items()}

    def searches(self, grid: GridSettings) -> dict[str, dict[str, Any]]:
        """Options of searches by kind: the usual ones by granularity, and the grid's kinds.

        ``episodes`` and other settings of a run go to the usual searches, ``NAME_episodes`` to a kind of its own.
        Searches on a task count ``reward_items`` in place of windows, and only structured ones choose a criterion.
        """
        windows = {"reward_windows", "budget", "reward", "reward_split"}
        usual = grid.search.model_dump(exclude_unset=True) | self._given(windows | {"episodes"})
        found = {"structured": usual | self._given({"criterion"}), "unstructured": usual}
        for kind, options in grid.kinds.items():
            taken = {"budget", "reward_items"} if kind == TASK_SEARCH else windows | {"criterion"}
            episodes = {"episodes": self.kinds[kind]} if kind in self.kinds else {}
            found[kind] = options.model_dump(exclude_unset=True) | self._given(taken) | episodes
        return found

    def _given(self, names: set[str]) -> dict[str, Any]:
        return self.model_dump(include=names, exclude_none=True)


def read_run(config: Mapping[str, Any], kinds: Iterable[str]) -> Run:
    """The settings of a run, checked.

    Args:
        config: what Snakemake has read of ``--config`` and its file.
        kinds: the kinds of search of the run's grid.

    Raises:
        SparsitySolverError: a setting that nothing reads (a misspelt one would leave the grid's own in force without a
            word), or one that is not what it must be.
    """
    episodes = {f"{kind}{_EPISODES}": kind for kind in kinds}
    settings = [*(name for name in Run.model_fields if name != "kinds"), *episodes]
    named = {known("setting of a run (--config)", name, settings): value for name, value in config.items()}
    given = {name: value for name, value in named.items() if value is not None and value != ""}
    of_kinds = {kind: _count(given.pop(name), name) for name, kind in episodes.items() if name in given}
    return checked(Run, given | {"kinds": of_kinds})
