"""The arena of a grid: which searches meet at which budget, and where their files lie (no torch)."""

import shlex
from collections.abc import Mapping

from sparsitysolver.config.arena import definition
from sparsitysolver.config.grid import RESULTS, Cell
from sparsitysolver.config.registry import SEARCHING, method
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.pruning.units import UNSTRUCTURED
from sparsitysolver.records.files import content_key
from sparsitysolver.search.algorithms import module_of
from sparsitysolver.seeds import derive_seed

ARENA = "arena"
FOLDER = f"{RESULTS}/arena"


class Arena:
    """Searches of a grid at one budget."""

    def __init__(self, artefacts: Artefacts) -> None:
        self.artefacts, self.grid = artefacts, artefacts.grid
        count = artefacts.grid.run.arena_seeds or definition().seeds
        self.seeds = [str(index) for index in range(count)]

    @property
    def entrants(self) -> list[str]:
        """Names of the searches that run; those that need a chat model run where one is given."""
        return [name for name, entry in definition().entrants.items() if self.grid.chat or not entry.chat]

    def cells(self) -> list[Cell]:
        """One cell for every model, setting and seed: what all entrants share, named by the method that searches."""
        models = self.grid.own_models(ARENA) or self.grid.models
        return [
            self.cell(model, setting.granularity, setting.sparsity, seed)
            for setting in definition().settings
            for model in models
            for seed in self.seeds
        ]

    def cell(self, model: str, granularity: str, sparsity: str, seed: str) -> Cell:
        """The cell that stands for one problem."""
        return Cell(model, method(SEARCHING, granularity).key, sparsity, seed, self.grid.task)

    def algorithm(self, entrant: str) -> str:
        """The algorithm of an entrant: its name unless it says otherwise."""
        name = definition().entrants[entrant].algorithm or entrant
        module_of(name)
        return name

    def options(self, cell: Cell, entrant: str) -> str:
        """An entrant's search as options of ``sparsitysolver search``."""
        return _options(self._searched(cell, entrant) | (self.grid.chat if self._asks(entrant) else {}))

    def _asks(self, entrant: str) -> bool:
        """Whether an entrant asks a chat model."""
        return definition().entrants[entrant].chat

    def _searched(self, cell: Cell, entrant: str) -> dict[str, object]:
        """The options of an entrant's search, who answers its prompts apart."""
        seed = derive_seed(ARENA, cell.model, cell.row.granularity, cell.sparsity, entrant, cell.seed)
        return {
            **self.grid.searches[ARENA],
            **definition().entrants[entrant].options,
            "algorithm": self.algorithm(entrant),
            "text": self.grid.task,
            "granularity": cell.row.granularity,
            "seed": seed,
        }

    def inputs(self, cell: Cell) -> dict[str, str]:
        """Files that every search of a problem reads; the statistics are those of weight matrices, which hold all."""
        draw = self.artefacts.draw(cell.method, cell.seed)
        return {
            "calibration": self.artefacts.ids_path(cell.model, draw),
            "stats": self.artefacts.stats_path(cell.model, draw, UNSTRUCTURED),
        }

    def strategy_path(self, cell: Cell, entrant: str) -> str:
        """Path of the strategy that an entrant finds; its curve lies beside it."""
        text = self.artefacts.identities.text(self.grid.task)
        chat = self.artefacts.identities.chat() if self._asks(entrant) else None
        key = content_key([self.inputs(cell), _options(self._searched(cell, entrant)), chat, cell.sparsity, text])
        return f"{FOLDER}/strategies/{_place(cell)}/{entrant}/{key}.json"

    def strategies(self, cell: Cell) -> list[str]:
        """Strategies of all entrants of a problem."""
        return [self.strategy_path(cell, entrant) for entrant in self.entrants]

    def score_path(self, cell: Cell) -> str:
        """Path of the record in which all entrants of a problem are scored."""
        parts = [self.strategies(cell), definition().as_written(), self.artefacts.identities.precision(cell.model)]
        return f"{FOLDER}/scores/{_place(cell)}/{content_key(parts)}.json"

    def scores(self) -> list[str]:
        """Records of all problems."""
        return [self.score_path(cell) for cell in self.cells()]

    def score_minutes(self, cell: Cell) -> int:
        """Estimated run time of scoring: every point of every curve, and the final strategies."""
        windows = len(definition().shares) * definition().validation_windows + definition().test_windows
        return self._minutes(cell, (len(self.entrants) + 4) * windows)

    def search_minutes(self, cell: Cell) -> int:
        """Estimated run time of one search."""
        settings = self.grid.searches[ARENA]
        return self._minutes(cell, int(settings["episodes"]) * int(settings["reward_windows"]))

    def _minutes(self, cell: Cell, windows: int) -> int:
        machine = self.artefacts.machine
        return machine.minutes(cell.model, windows * machine.size(cell.model).window)


def _options(settings: Mapping[str, object]) -> str:
    return " ".join(f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in settings.items())


def _place(cell: Cell) -> str:
    return f"{cell.model}/{cell.row.granularity}/{cell.sparsity}/{cell.seed}"
