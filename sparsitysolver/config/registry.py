"""The registries of models, data sets, tasks and methods, ``config/*.tsv``: a row each (no torch)."""

import functools
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, keyed
from sparsitysolver.errors import SparsitySolverError, known

HUB_TEXT = "wikitext2"  # the text that models are evaluated, searched and mostly calibrated on
HUB_TEXTS = (HUB_TEXT, "c4")  # the methods' own calibration texts; grids and bundled models put theirs in their place
RECONSTRUCTION_WINDOWS = 32  # the paper's number of reconstruction samples (section 4.4)
PERPLEXITY, ZERO_SHOT = "perplexity", "zero_shot"  # kinds of tasks
PERPLEXITY_METRIC = "ppl"
AVERAGE = "average"  # unweighted mean of a row's accuracies over all tasks
ZERO_SHOT_BATCH = 8  # requests per forward pass
SEARCHING = "sparsitysolver"  # the allocator that searches, and the key of its structured row


class ModelRow(Contract):
    """One line of ``config/models.tsv``; ``parameters`` counts a tied head once; sizes are 0 where not stated."""

    key: str
    family: str
    hub_id: str = ""
    revision: str = ""
    alternates: str = ""
    layers: int = 0
    hidden: int = 0
    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    ffn: int = 0
    parameters: int = 0
    gpus: int = 1
    memory_gib: int = 4
    paper_name: str = ""


class DatasetRow(Contract):
    """One line of ``config/datasets.tsv``: a hub data set at a pinned revision."""

    key: str
    hub_id: str
    config: str = ""
    revision: str
    files: str = ""
    note: str = ""


class TaskRow(Contract):
    """One line of ``config/tasks.tsv``; those of perplexity have neither items nor a task of lm-eval.

    ``hub_id``, ``config`` and ``revision`` pin the data set of a task's own, ``split`` is the part of it that lm-eval
    evaluates, ``stock`` the file that defines the task within ``lm_eval/tasks``, and ``fields`` what an item must hold
    (see ``data/items.py``). The tasks of the mini language are asked and checked as their ``harness_task`` is.
    """

    key: str
    kind: Literal["perplexity", "zero_shot"]
    dataset: str
    harness_task: str = ""
    metric: str
    n_items: int = 0
    hub_id: str = ""
    config: str = ""
    revision: str = ""
    split: str = ""
    stock: str = ""
    fields: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _check_own_data(self) -> Self:
        needed = ("harness_task", "revision", "split", "stock", "fields")
        missing = [name for name in needed if self.hub_id and not getattr(self, name)]
        if missing:
            fault = f"task '{self.key}' has a data set of its own and no {' and no '.join(missing)}"
            raise SparsitySolverError(f"{fault}; needed: {', '.join(needed)}.")
        return self


def _pairs(text: str) -> str:
    if not all(name and value for name, _, value in (pair.partition("=") for pair in text.split(","))):
        raise ValueError("needs name=value pairs with commas between them")
    return text


Pairs = Annotated[str, AfterValidator(_pairs)]


class MethodRow(Contract):
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
    granularity: str = ""
    allocator: str = ""
    pruner: str
    source: str = ""
    sampler: str = ""
    nsamples: int = 0
    seqlen: int = 0
    calibration_seed: int = 0
    options: Pairs = ""
    reconstruction: str = ""
    reward: str = ""
    search: Pairs = ""

    @property
    def search_options(self) -> dict[str, str]:
        """The pairs of ``search``."""
        return dict(pair.split("=", 1) for pair in self.search.split(",") if pair)

    @property
    def regressing(self) -> Self:
        """The row with what reconstruction regresses on in the columns of its calibration.

        That is 32 windows of the text named, drawn as the calibration's are, unless ``reconstruction`` is a drawing of
        its own: text, sampler, windows x tokens and seed, as in ``wikitext2-svd_llm_update-16x2048-0``.
        """
        source, *own = self.reconstruction.split("-")
        if not own:
            return self.model_copy(update={"source": source, "nsamples": RECONSTRUCTION_WINDOWS})
        sampler, size, seed = own
        nsamples, seqlen = map(int, size.split("x"))
        drawn = {"sampler": sampler, "nsamples": nsamples, "seqlen": seqlen, "calibration_seed": int(seed)}
        return self.model_copy(update={"source": source} | drawn)


models_table = functools.partial(keyed, CONFIG / "models.tsv", ModelRow, "key")
tasks_table = functools.partial(keyed, CONFIG / "tasks.tsv", TaskRow, "key")
methods_table = functools.partial(keyed, CONFIG / "methods.tsv", MethodRow, "key")


@functools.cache
def datasets_table() -> dict[str, DatasetRow]:
    """Every hub data set by key: those of texts, and those that tasks have of their own."""
    own = [row for row in tasks_table().values() if row.hub_id]
    of_tasks = [DatasetRow(key=t.dataset, hub_id=t.hub_id, config=t.config, revision=t.revision) for t in own]
    return keyed(CONFIG / "datasets.tsv", DatasetRow, "key") | {row.key: row for row in of_tasks}


def zero_shot_task(key: str) -> TaskRow:
    """A zero-shot task by key, or an error with near names."""
    return tasks_table()[known("zero-shot task", key, [*filter(is_zero_shot, tasks_table())])]


def is_zero_shot(name: str) -> bool:
    """Whether a name is that of a zero-shot task."""
    return name in tasks_table() and tasks_table()[name].kind == ZERO_SHOT


def metric_of(name: str) -> str:
    """The metric that tables show of a task; texts of one's own are perplexity tasks."""
    return tasks_table()[name].metric if name in tasks_table() else PERPLEXITY_METRIC


def method(key: str, granularity: str | None = None) -> MethodRow:
    """A method by key, or an error with near names.

    With a granularity, the row of that granularity: ``sparsitysolver`` and ``unstructured`` give
    ``sparsitysolver_unstructured``.
    """
    table = methods_table()
    row = table[known("method", key, table)]
    if granularity in (None, row.granularity):
        return row
    other = f"{key}_{granularity}"
    if other not in table:
        raise SparsitySolverError(
            f"method '{key}' prunes at granularity {row.granularity}; {granularity} was asked for. Methods of that "
            f"granularity: {', '.join(row.key for row in table.values() if row.granularity == granularity) or 'none'}."
        )
    return table[other]


MethodKey = Annotated[str, AfterValidator(lambda key: known("method", key, methods_table()))]
TaskKey = Annotated[str, AfterValidator(lambda key: known("task", key, tasks_table()))]
