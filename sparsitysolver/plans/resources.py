"""How long jobs take, by the tokens that go through the model: estimates for plans (no torch)."""

from sparsitysolver.config.grid import Cell
from sparsitysolver.config.registry import ZERO_SHOT, tasks_table
from sparsitysolver.plans.artefacts import Artefacts

_TEXT = 170 * 2048  # tokens of a text that is evaluated whole
_ITEM_TOKENS = 400  # tokens of one zero-shot item, all its choices together


def stage_minutes(artefacts: Artefacts, model: str, stage: str) -> int:
    """Estimated run time of a stage of fixed work."""
    window = artefacts.machine.size(model).window
    reconstruction = 4 * 255 * window  # four passes over 1 + 2 + ... + 128 windows
    tokens = {
        "sample": 0,
        "calibrate": 128 * window,
        "prune": 8 * 256 * window,
        "inference": 256 * window,
        "reconstruction_study": 26 * _TEXT + 3 * reconstruction,
    }[stage]
    return artefacts.machine.minutes(model, tokens)


def search_minutes(artefacts: Artefacts, cell: Cell) -> int:
    """Estimated run time of a search: every reward window, or item, in every episode."""
    settings = artefacts.search_settings(cell)
    windows, items = int(settings.get("reward_windows", 0)), int(settings.get("reward_items", 0))
    tokens = windows * artefacts.machine.size(cell.model).window + items * _ITEM_TOKENS
    return artefacts.machine.minutes(cell.model, int(settings["episodes"]) * tokens)


def evaluate_minutes(artefacts: Artefacts, model: str, task: str, times: int = 1) -> int:
    """Estimated run time of evaluations on one task."""
    row = tasks_table()[task]
    tokens = row.n_items * _ITEM_TOKENS if row.kind == ZERO_SHOT else _TEXT
    return artefacts.machine.minutes(model, times * tokens)
