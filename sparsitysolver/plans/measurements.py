"""Measurements of a grid: inference times and reconstruction studies, where they lie and what they read (no torch)."""

from sparsitysolver.config.grid import RESULTS, Cell
from sparsitysolver.plans import needs
from sparsitysolver.plans.artefacts import TIMED, Artefacts
from sparsitysolver.records.files import content_key


def inference_path(artefacts: Artefacts, model: str) -> str:
    """Path of the record of inference times of a model, dense and pruned; one for all figures."""
    return f"{RESULTS}/inference/{model}/{inference_key(artefacts, model, _timed_cells(artefacts, model))}.json"


def inference_key(artefacts: Artefacts, model: str, cells: list[Cell]) -> str:
    """Key of a record of inference times: of the model, of what was pruned from it, and of how it is measured."""
    identities = artefacts.identities
    pruned = [artefacts.pruned_key(cell) for cell in cells]
    asked = inference_options(artefacts)
    return content_key([identities.model(model), identities.precision(model), pruned, asked])


def inference_options(artefacts: Artefacts) -> str:
    """How this grid measures inference as options of ``sparsitysolver bench inference``."""
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in sorted(artefacts.grid.inference.items()))


def timed_folders(artefacts: Artefacts, model: str) -> list[str]:
    """Folders of the pruned models of a model whose inference is timed."""
    return [artefacts.pruned_path(cell, TIMED) for cell in _timed_cells(artefacts, model)]


def study_path(artefacts: Artefacts, cell: Cell) -> str:
    """Path of the record of a reconstruction study."""
    identities = artefacts.identities
    parts = [identities.model(cell.model), identities.precision(cell.model), study_options(artefacts, cell)]
    parts += [artefacts.ids_key(cell.model, _study_draw(artefacts, cell)), identities.text(cell.task)]
    place = f"{cell.model}/{cell.sparsity}/{cell.seed}"
    return f"{RESULTS}/reconstruction/{place}/{content_key([*parts, artefacts.stats(cell)])}.json"


def study_inputs(artefacts: Artefacts, cell: Cell) -> dict[str, str]:
    """Files that a reconstruction study reads, by the option that names them."""
    regressed_on = artefacts.ids_path(cell.model, _study_draw(artefacts, cell))
    return artefacts.calibrated(cell) | {"reconstruction_calibration": regressed_on}


def study_options(artefacts: Artefacts, cell: Cell) -> str:
    """A reconstruction study as options of ``sparsitysolver study reconstruction``."""
    samples = ",".join(map(str, needs.study_samples(artefacts.grid, cell)))
    return f"--sparsity {cell.sparsity} --samples {samples} --task {cell.task} --split test"


def _timed_cells(artefacts: Artefacts, model: str) -> list[Cell]:
    cells = needs.needed(artefacts.grid, needs.INFERENCE)
    return [cell for cell in cells if cell.model == model and cell.method != needs.DENSE]


def _study_draw(artefacts: Artefacts, cell: Cell) -> str:
    """Calibration windows of a reconstruction study: as many as its largest number of samples."""
    largest = max(needs.study_samples(artefacts.grid, cell))
    return artefacts.draw_of(cell.row, cell.row.reconstruction, largest, cell.seed)
