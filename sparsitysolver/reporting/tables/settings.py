"""Table 7: the settings of the PPO agent, read from the strategies that it found, beside those the paper prints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sparsitysolver import CONFIG
from sparsitysolver.config.tables import DASH
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import read_json, read_record, write_json, write_text
from sparsitysolver.reporting.formats import markdown, tabular, tex_table, write_csv

NAME = "table7"
TITLE = "Settings of the PPO agent"
PARAMETERS, VALUE = "Parameters", "Value"
# The paper's rows, and the names that a strategy has for them, in what was found or of the agent that found it.
_OF_PAPER = {
    "Actor learning rate": "learning_rate",
    "Critic learning rate": "learning_rate",
    "Actor hidden size": "actor_hidden",
    "Critic hidden size": "critic_hidden",
    "Optimizer": "optimizer",
    "Number of samples per update": "episodes_per_update",
    "Number of learning epochs": "epochs",
    "Number of episodes": "episodes",
}
_LEFT_OPEN = (
    *("clip_range", "initial_log_std", "entropy_coefficient", "value_coefficient", "max_gradient_norm"),
    *("a_min", "a_max", "reward", "reward_split", "reward_windows", "rescore_windows", "rescore_top"),
    *("budget", "criterion"),
)


def published_settings() -> pd.DataFrame:
    """The paper's table as printed."""
    return pd.read_csv(CONFIG / "paper" / f"{NAME}.csv", dtype=str, keep_default_na=False)


def _settings_of(strategy: Path) -> pd.DataFrame:
    """The paper's rows with the values of one search, as texts, and then what the paper leaves open."""
    found = read_record(strategy, "strategy")["found"]
    if found["algorithm"] != "ppo":
        raise SparsitySolverError(f"{NAME} shows the PPO agent; the strategy was found by '{found['algorithm']}'.")
    try:
        known = found | found["agent"]
        rows = {name: _text(known[_OF_PAPER[name]]) for name in published_settings()[PARAMETERS]}
        rows |= {name.replace("_", " "): _text(known[name]).replace("_", " ") for name in _LEFT_OPEN}
    except KeyError as error:
        raise SparsitySolverError(
            f"{strategy} does not say its {error.args[0]}, which {NAME} shows; search again."
        ) from error
    return pd.DataFrame(rows.items(), columns=[PARAMETERS, VALUE])


def _text(value: Any) -> str:
    """As the paper writes: 5e-4; one size for hidden layers of equal size."""
    if isinstance(value, list):
        return str(value[0]) if len(set(value)) == 1 else "-".join(map(str, value))
    if isinstance(value, float) and 0 < abs(value) < 1e-3:
        mantissa, exponent = f"{value:e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return DASH if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def settings_command(strategies: Sequence[Path], out: Path) -> None:
    """``report settings``: ``table7.csv``, its extended twin, LaTeX and Markdown, from strategies that must agree.

    ``table7.strategies.json`` names their files: with them the table can be made again.

    Raises:
        SparsitySolverError: a strategy that no PPO search found or that lacks a setting, or two of different settings.
    """
    tables = {path: _settings_of(path) for path in strategies}
    (first, table), *others = tables.items()
    for path, other in others:
        differs = table[VALUE] != other[VALUE]
        if differs.any():
            name = table[PARAMETERS][differs.idxmax()]
            raise SparsitySolverError(f"{NAME}: {first} and {path} differ in '{name}'; one table has one agent.")
    shown, left_open = table.iloc[: len(_OF_PAPER)], table.iloc[len(_OF_PAPER) :]
    write_csv(shown, out / f"{NAME}.csv")
    write_csv(table, out / f"{NAME}_extended.csv")
    write_text(out / f"{NAME}.tex", tex_table(TITLE, f"tab:{NAME}", tabular(shown, 1)))
    parts = [f"**{TITLE}**", markdown(shown), "Settings that the paper leaves open:", markdown(left_open)]
    write_text(out / f"{NAME}.md", "\n\n".join(parts) + "\n")
    write_json(out / f"{NAME}.strategies.json", {"strategies": sorted(path.name for path in tables)})


def strategies_shown(results: Path) -> list[Path]:
    """The strategies that Table 7 of a results folder was made of; none where it was not made.

    Raises:
        SparsitySolverError: one of them is gone.
    """
    sidecar = results / f"{NAME}.strategies.json"
    names = read_json(sidecar, "list of strategies")["strategies"] if sidecar.is_file() else []
    paths = [path for name in names for path in sorted((results / "strategies").glob(f"**/{name}"))]
    gone = sorted(set(names) - {path.name for path in paths})
    if gone:
        raise SparsitySolverError(f"{NAME} of {results} was made of strategy {gone[0]}, which is gone; make it anew.")
    return paths


def settings_verdicts(measured: pd.DataFrame) -> pd.DataFrame:
    """Published beside used: settings are equal or they are not."""
    table = published_settings().rename(columns={VALUE: "published"})
    table["used"] = table[PARAMETERS].map(measured.set_index(PARAMETERS)[VALUE]).fillna(DASH)
    equal = table["published"] == table["used"]
    return table.assign(verdict=equal.map({True: "as published", False: "differs"}))
