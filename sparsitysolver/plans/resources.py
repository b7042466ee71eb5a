"""What jobs need of a machine: GPUs, host memory, time (estimates for plans; no torch)."""

from sparsitysolver.grid import Cell
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.registry import ZERO_SHOT, models_table, tasks_table

_RATE = 2e14  # operations a second of one data-centre GPU in half precision, cautiously
_MARGIN = 1.5
_START = 5  # minutes for start and loading
_WINDOW = 2048  # tokens
_ITEM_TOKENS = 400  # tokens of one zero-shot item, all its choices together


def memory_mb(model: str) -> int:
    """Host memory of one job, in MB."""
    return 1024 * (models_table()[model].memory_gib if model in models_table() else 8)


def minutes(model: str, tokens: int) -> int:
    """Estimated wall time in minutes of forward passes over ``tokens``: 2 × parameters × tokens operations."""
    parameters = models_table()[model].parameters if model in models_table() else 0
    return _START + int(2 * parameters * tokens / _RATE / 60 * _MARGIN)


def stage_tokens(stage: str) -> int:
    """Tokens that go through the model in a stage of fixed work."""
    evaluation, reconstruction = 170 * _WINDOW, 4 * 255 * _WINDOW  # four passes over 1 + 2 + ... + 128 windows
    return {
        "sample": 0,
        "calibrate": 128 * _WINDOW,
        "prune": 8 * 256 * _WINDOW,
        "inference": 256 * _WINDOW,
        "reconstruction_study": 26 * evaluation + 3 * reconstruction,
    }[stage]


def search_tokens(artefacts: Artefacts, cell: Cell) -> int:
    """Tokens of a search: every reward window, or item, in every episode."""
    settings = artefacts.search_settings(cell)
    windows, items = int(settings.get("reward_windows", 0)), int(settings.get("reward_items", 0))
    return int(settings["episodes"]) * (windows * _WINDOW + items * _ITEM_TOKENS)


def evaluate_tokens(task: str) -> int:
    """Tokens of one evaluation: 170 windows of 2048, or the items of a task."""
    row = tasks_table()[task]
    return row.n_items * _ITEM_TOKENS if row.kind == ZERO_SHOT else 170 * _WINDOW
