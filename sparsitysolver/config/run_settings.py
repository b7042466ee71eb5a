"""Settings of one run, ``--config NAME=VALUE``: which there are, what they must be, what they change (no torch)."""

from collections.abc import Mapping
from typing import Any

from sparsitysolver.chat.address import URL_VARIABLE, address_of
from sparsitysolver.errors import SparsitySolverError, unknown_name

DEVICES = ("auto", "cpu", "cuda")
TASK_SEARCH = "task"  # kind of the settings of searches rewarded on a task
ENDING = "_search"  # of a grid's settings of one kind of search
CHAT = ("chat_url", "chat_model", "replay")
_OF_SEARCHES = ("reward_windows", "budget", "reward", "reward_split")
_OF_INFERENCE = ("rounds", "batch", "prompt_tokens", "new_tokens")  # options of `bench inference`
_OTHERS = (
    *("device", "threads"),
    *("grid", "assets", "seeds", "models", "tasks", "limit", "items", "search_items"),
    *("arena_seeds", "episodes", "criterion", "reward_items"),
)


def refuse_unknown(settings: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Refuse a setting that nothing reads: a misspelt one would leave the grid's own in force without a word.

    Args:
        settings: the grid's own, which name its kinds of search.
        config: the run's.

    Raises:
        SparsitySolverError: naming the first unknown one, and those that there are.
    """
    episodes = [f"{kind}_episodes" for kind in _kinds(settings)]
    known = [*_OTHERS, *CHAT, *_OF_SEARCHES, *episodes, *(f"inference_{name}" for name in _OF_INFERENCE)]
    for name in config:
        if name not in known:
            raise unknown_name("setting of a run (--config)", name, known)


def count(config: Mapping[str, Any], name: str) -> int | None:
    """A number of at least 1, if the run gives it."""
    given = config.get(name)
    if given is None:
        return None
    if not str(given).isdecimal() or int(given) < 1:
        raise SparsitySolverError(f"{name}={given}: a number of at least 1 is needed.")
    return int(given)


def chat(config: Mapping[str, Any]) -> dict[str, str]:
    """Who answers Self-Pruner's prompts, as options of ``search``; empty where nobody is named.

    The endpoint of ``chat_model`` may come from the environment; what stands here, and so in keys and logs, is
    its public part alone.
    """
    given = {name: str(config[name]) for name in CHAT if config.get(name)}
    if "://" in given.get("chat_model", ""):
        raise SparsitySolverError(
            f"chat_model is the model's name: give the endpoint's address by chat_url, or by {URL_VARIABLE}."
        )
    if "chat_url" in given or ("chat_model" in given and "replay" not in given):
        address = address_of(given.get("chat_url"), "chat_url of --config")
        given |= {"chat_url": address.shown} if address else {}
    return {name: given[name] for name in CHAT if name in given}


def device(config: Mapping[str, Any]) -> str:
    """What models run on that are meant for a GPU: ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``."""
    given = str(config.get("device") or DEVICES[0])
    if given not in DEVICES:
        raise unknown_name("device", given, DEVICES)
    return given


def seeds(given: Any) -> list[str]:
    """Seed indices from ``[0, 1]``, ``0,1`` or ``0``."""
    parts = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else [given]
    texts = [str(part).strip() for part in parts]
    if not texts or not all(text.isdecimal() for text in texts):
        raise SparsitySolverError(f"seeds={given}: seed indices such as 0 or 0,1,2 are needed.")
    return texts


def names(setting: str, given: Any) -> list[str]:
    """Names from ``[a, b]``, ``a,b``, or one that reads as a number."""
    if isinstance(given, Mapping):
        raise _read_as_mapping(setting, given)
    parts = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else [given]
    return [str(part).strip() for part in parts]


def folder(config: Mapping[str, Any], name: str) -> str | None:
    """A folder's path, if the run gives it."""
    given = config.get(name)
    if isinstance(given, Mapping):
        raise _read_as_mapping(name, given)
    return None if given in (None, "") else str(given)


def _read_as_mapping(name: str, given: Mapping[str, Any]) -> SparsitySolverError:
    return SparsitySolverError(
        f"{name}={dict(given)}: Snakemake reads settings as YAML, where ': ' makes a mapping; quote the value once "
        f"more, --config '{name}=\"…\"'."
    )


def inference(settings: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, int]:
    """How inference is measured, where a grid or a run says: options of ``bench inference``."""
    return settings.get("inference", {}) | _counts(config, {name: f"inference_{name}" for name in _OF_INFERENCE})


def searches(settings: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Search settings by kind: the usual ones by granularity, and one for every ``NAME_search`` of the grid.

    ``--config episodes=300`` and other settings of a run go to the usual searches; ``NAME_episodes`` (``task_episodes``
    and others) to a kind of its own. Searches on a task count ``reward_items`` in place of windows.
    """
    given = {name: config[name] for name in _OF_SEARCHES if name in config}
    given |= _counts(config, {"reward_windows": "reward_windows"})
    items = _counts(config, {"reward_items": "reward_items"})
    usual = settings["search"] | given | _counts(config, {"episodes": "episodes"})
    criterion = {"criterion": config["criterion"]} if "criterion" in config else {}
    found = {"structured": usual | criterion, "unstructured": usual}
    for kind in _kinds(settings):
        on_task = {name: value for name, value in given.items() if name == "budget"} | items
        taken = on_task if kind == TASK_SEARCH else given | criterion
        found[kind] = settings[f"{kind}{ENDING}"] | taken | _counts(config, {"episodes": f"{kind}_episodes"})
    return found


def _kinds(settings: Mapping[str, Any]) -> list[str]:
    return [name.removesuffix(ENDING) for name in settings if name.endswith(ENDING)]


def _counts(config: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, int]:
    """The counts that the run gives, by the option each stands for."""
    return {option: value for option, name in names.items() if (value := count(config, name)) is not None}
