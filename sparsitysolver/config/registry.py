"""The tables under ``config/`` as typed rows, and the assets folder that stands in for the hub (no torch)."""

import csv
import functools
import os
from dataclasses import dataclass, replace
from pathlib import Path

from sparsitysolver import CONFIG
from sparsitysolver.errors import SparsitySolverError, unknown_name

BUNDLED = Path(__file__).parents[1] / "models" / "tiny"
HUB_TEXT = "wikitext2"  # the text that models are evaluated, searched and mostly calibrated on
HUB_TEXTS = (HUB_TEXT, "c4")  # the methods' own calibration texts; grids and bundled models put theirs in their place
RECONSTRUCTION_WINDOWS = 32  # the paper's number of reconstruction samples (section 4.4)
PERPLEXITY, ZERO_SHOT = "perplexity", "zero_shot"  # kinds of tasks
ZERO_SHOT_BATCH = 8  # requests per forward pass
ASSETS_VARIABLE = "SPARSITYSOLVER_ASSETS"


@dataclass(frozen=True)
class Assets:
    """An assets folder (``models/<key>/``, ``wikitext2/``, ``c4/``, ``tasks/``), or none: the hub."""

    folder: Path | None

    @classmethod
    def from_environment(cls, folder: str | Path | None = None) -> "Assets":
        """The folder given, else that of ``SPARSITYSOLVER_ASSETS``, else none; it must exist."""
        chosen = folder or os.environ.get(ASSETS_VARIABLE)
        if not chosen:
            return cls(None)
        if not Path(chosen).is_dir():
            raise SparsitySolverError(f"assets folder {chosen} does not exist.")
        return cls(Path(chosen))

    def to_environment(self) -> None:
        """Make this the folder of all commands that this process starts, or none: a path in no rule decides nothing."""
        if self.folder is None:
            os.environ.pop(ASSETS_VARIABLE, None)
        else:
            os.environ[ASSETS_VARIABLE] = str(self.folder.absolute())

    def existing(self, relative: str, what: str) -> Path:
        """A path inside the folder; a missing one is an error that says what was wanted and where it was looked for."""
        assert self.folder is not None
        path = self.folder / relative
        if not path.exists():
            raise SparsitySolverError(
                f"{what} was looked for at {path} and is not there; put it there, fill the folder with "
                f"'sparsitysolver assets download --to {self.folder}', or unset {ASSETS_VARIABLE} to use the hub."
            )
        return path


_ASSET_MODEL = "assets:"  # begins the names of models of the assets folder


def asset_model(name: str) -> str:
    """A model of the assets folder, ``models/NAME``, as MODEL of the command line: ``assets:NAME``."""
    return f"{_ASSET_MODEL}{name}"


def named_asset_model(model: str) -> str | None:
    """The name in ``assets:NAME``; None for any other MODEL."""
    return model.removeprefix(_ASSET_MODEL) if model.startswith(_ASSET_MODEL) else None


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated table with a header line; ``-`` reads as empty."""
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise SparsitySolverError(f"{path}, line {number}: not as many fields as the header has.")
    return [{key: "" if value == "-" else value for key, value in row.items()} for row in rows]


@dataclass(frozen=True)
class ModelRow:
    """One line of ``config/models.tsv``; ``parameters`` counts a tied head once; sizes are 0 where not stated."""

    key: str
    family: str
    hub_id: str
    revision: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    parameters: int
    gpus: int
    memory_gib: int
    paper_name: str


@functools.cache
def models_table() -> dict[str, ModelRow]:
    """Every registered model by key."""
    rows = read_table(CONFIG / "models.tsv")
    return {
        row["key"]: ModelRow(
            key=row["key"],
            family=row["family"],
            hub_id=row["hub_id"],
            revision=row["revision"],
            **{k: int(row[k] or 0) for k in ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "parameters")},
            gpus=int(row["gpus"] or 1),
            memory_gib=int(row["memory_gib"] or 4),
            paper_name=row["paper_name"],
        )
        for row in rows
    }


@dataclass(frozen=True)
class DatasetRow:
    """One line of ``config/datasets.tsv``: a hub data set at a pinned revision."""

    key: str
    hub_id: str
    config: str
    revision: str
    files: str


@functools.cache
def datasets_table() -> dict[str, DatasetRow]:
    """Every hub data set by key."""
    return {
        row["key"]: DatasetRow(**{k: row[k] for k in ("key", "hub_id", "config", "revision", "files")})
        for row in read_table(CONFIG / "datasets.tsv")
    }


@dataclass(frozen=True)
class TaskRow:
    """One line of ``config/tasks.tsv``; ``harness_task`` and ``n_items`` are empty and 0 for perplexity."""

    key: str
    kind: str
    dataset: str
    harness_task: str
    metric: str
    n_items: int


@functools.cache
def tasks_table() -> dict[str, TaskRow]:
    """Every task by key."""
    return {
        row["key"]: TaskRow(
            **{k: row[k] for k in ("key", "kind", "dataset", "harness_task", "metric")},
            n_items=int(row["n_items"] or 0),
        )
        for row in read_table(CONFIG / "tasks.tsv")
    }


def zero_shot_task(key: str) -> TaskRow:
    """A zero-shot task by key, or an error with near names."""
    table = {row.key: row for row in tasks_table().values() if row.kind == ZERO_SHOT}
    if key not in table:
        raise unknown_name("zero-shot task", key, table)
    return table[key]


def is_zero_shot(name: str) -> bool:
    """Whether a name is that of a zero-shot task."""
    return name in tasks_table() and tasks_table()[name].kind == ZERO_SHOT


@dataclass(frozen=True)
class MethodRow:
    """One line of ``config/methods.tsv``: how a method allocates, prunes and calibrates by default.

    ``allocator`` and ``pruner`` name files of ``baselines/``; ``options`` are their ``name=value`` pairs.
    ``reconstruction`` is the text that reconstruction regresses on (see :attr:`regressing`) and ``reward`` what a
    search is rewarded on: ``text``, or ``task`` for each zero-shot task's own, in which case every task has a pruned
    model of its own.
    ``search`` holds ``name=value`` pairs of a search that differs from the grid's usual one: options of the command,
    ``settings`` (which of the grid's settings apply) and ``warm_start`` (``method@sparsity`` of the search before it).
    """

    key: str
    label: str
    granularity: str
    allocator: str
    pruner: str
    source: str
    sampler: str
    nsamples: int
    seqlen: int
    calibration_seed: int
    options: str
    reconstruction: str
    reward: str
    search: str = ""

    @property
    def search_options(self) -> dict[str, str]:
        """``search`` as a mapping."""
        return dict(pair.split("=", 1) for pair in self.search.split(",") if pair)

    @property
    def regressing(self) -> "MethodRow":
        """The row with what reconstruction regresses on in the columns of its calibration.

        That is 32 windows of the text named, drawn as the calibration's are, unless ``reconstruction`` is a drawing of
        its own: text, sampler, windows x tokens and seed, as in ``wikitext2-svd_llm_update-16x2048-0``.
        """
        source, *own = self.reconstruction.split("-")
        if not own:
            return replace(self, source=source, nsamples=RECONSTRUCTION_WINDOWS)
        sampler, size, seed = own
        nsamples, seqlen = map(int, size.split("x"))
        return replace(
            self, source=source, sampler=sampler, nsamples=nsamples, seqlen=seqlen, calibration_seed=int(seed)
        )


@functools.cache
def methods_table() -> dict[str, MethodRow]:
    """Every method by key."""
    rows = {}
    for row in read_table(CONFIG / "methods.tsv"):
        numbers = {k: int(row[k] or 0) for k in ("nsamples", "seqlen", "calibration_seed")}
        texts = {name: row[name] for name in row if name not in numbers}
        rows[row["key"]] = MethodRow(**texts, **numbers)
    return rows


SEARCHING = "sparsitysolver"  # the allocator that searches, and the key of its structured row


def method(key: str, granularity: str | None = None) -> MethodRow:
    """A method by key, or an error with near names.

    With a granularity, the row of that granularity: ``sparsitysolver`` and ``unstructured`` give
    ``sparsitysolver_unstructured``.
    """
    table = methods_table()
    if key not in table:
        raise unknown_name("method", key, table)
    row = table[key]
    if granularity in (None, row.granularity):
        return row
    other = f"{key}_{granularity}"
    if other not in table:
        raise SparsitySolverError(
            f"method '{key}' prunes at granularity {row.granularity}; {granularity} was asked for. Methods of that "
            f"granularity: {', '.join(row.key for row in table.values() if row.granularity == granularity) or 'none'}."
        )
    return table[other]
