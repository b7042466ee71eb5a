"""Where methods are compared: columns of a table's cells, or settings of inference, and what was measured there."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sparsitysolver.config.registry import AVERAGE, ZERO_SHOT, is_zero_shot, tasks_table
from sparsitysolver.config.tables import TASKS, Column, Definition, Row, load_definition, tables
from sparsitysolver.reporting.claims.results import Results, of_sparsity
from sparsitysolver.reporting.claims.rules import NotJudgedError, each_once
from sparsitysolver.reporting.compare.comparability import DENSE, Removed
from sparsitysolver.reporting.compare.verdicts import Comparison, Verdict, lower_is_better
from sparsitysolver.reporting.tables.pairs import compare_entries
from sparsitysolver.reporting.tables.tables import MeasuredTable, measured_entries, tasks_of

EACH_TASK = "tasks"  # every task column of a table over tasks, without the average
_SETTING = ("model", "seed", "batch", "prompt_tokens", "new_tokens", "threads", "device", "dtype")


@dataclass(frozen=True)
class Side:
    """What was measured of a method in a place: a number, None where the method was run and has none."""

    value: float | None
    removed: Removed = Removed(None, None)  # as far as only models that removed the same may be compared with it
    reason: str = ""  # why there is no number
    stand_in: str = ""  # why the method is not on this grid what it is called
    low: float = math.nan  # with ``high`` the interval of a speedup; NaN where not measured
    high: float = math.nan


@dataclass(frozen=True)
class Place:
    """A place of a model and what was measured of each method there."""

    name: str  # in notes
    model: str
    sides: Mapping[str, Side]  # by method; one that was not run has none
    metric: str  # of the values
    lower: bool  # whether a smaller value is the better one
    unit: str  # of comparisons
    compare: Callable[[str, str], Comparison]  # how much better a method is than another: positive where it is

    def measured(self, methods: Iterable[str]) -> list[str]:
        """Those of some methods that have a number."""
        return [key for key in methods if key in self.sides and self.sides[key].value is not None]


Places = tuple[list[Place], list[str]]  # and why there are no others


@functools.cache
def definitions() -> dict[str, Definition]:
    """All tables by name, read once: every claim asks for them."""
    return {name: load_definition(name) for name in tables()}


def equal_rows(method: str) -> tuple[str, ...]:
    """The methods that bring another one to the sparsity or size asked for: ``equal_of`` in any table's definition."""
    rows = [row for definition in definitions().values() for row in definition.all_rows]
    return each_once(row.method for row in rows if row.equal_of == method)


def with_equals(methods: Iterable[str]) -> list[str]:
    """Some methods, each once, and the rows that stand for them."""
    return list(each_once(key for method in methods for key in (method, *equal_rows(method))))


def quality(
    results: Results,
    *,
    table: str,
    method: str,
    than: Sequence[str],
    sparsities: Sequence[float] | None = None,
    column: str = AVERAGE,
) -> Places:
    """Perplexity or accuracy in the columns of a table, with paired intervals where there are samples.

    Columns are those of the grid: models, models at sparsities (the table's, or ``sparsities``), or tasks. Of these
    ``column`` says which: ``average``, ``tasks`` (each for itself) or one of the paper's tasks, which stands for the
    grid's task of that kind.
    """
    found, left_out = _columns(results, table, [method, *than], sparsities, column)
    return [_of_quality(results, measured, column) for measured, column in found], left_out


def _of_quality(results: Results, table: MeasuredTable, column: Column) -> Place:
    entries = {row: entry for (row, name), entry in table.entries.items() if name == column.name}
    sides = {key: Side(one.value, one.removed, one.reason, results.stand_in(key)) for key, one in entries.items()}
    lower = lower_is_better(column.metric)

    def compare(better: str, worse: str) -> Comparison:
        first, second = (worse, better) if lower else (better, worse)
        found = compare_entries(table, column, first, second, results.samples)
        one, other = sides[first].value, sides[second].value
        sign = Comparison(100 * (one / other - 1) if lower else one - other)
        return sign if found.effect is None else found

    unit = "% perplexity" if lower else "points"
    return Place(_name(table, column), column.model, sides, column.metric, lower, unit, compare)


def parameters(
    results: Results, *, table: str, method: str, than: Sequence[str], sparsities: Sequence[float] | None = None
) -> Places:
    """How many parameters models have, in places as those of :func:`quality`.

    They are counted, so there is no interval. What was removed may differ: this is what the claim is about.
    """
    found, left_out = _columns(results, table, [method, *than], sparsities, EACH_TASK)
    places = []
    for measured, column in found:
        entries = {key: measured.entries[key, column.name] for key in (method, *than)}
        sides = {key: Side(one.value and one.parameters, reason=one.reason) for key, one in entries.items()}
        compare = functools.partial(_fewer, sides)
        places.append(Place(_name(measured, column), column.model, sides, "parameters", True, "% fewer", compare))
    return places, left_out


def _fewer(sides: Mapping[str, Side], better: str, worse: str) -> Comparison:
    return Comparison(100 * (1 - sides[better].value / sides[worse].value))


def _columns(
    results: Results, table: str, methods: Sequence[str], sparsities: Sequence[float] | None, asked: str
) -> tuple[list[tuple[MeasuredTable, Column]], list[str]]:
    """The columns asked for of every model's table; and why a model is left out: a method was not run in one of them.

    A claim on several sparsities or rivals must not be borne out by those that happen to be there. A grid's own tasks
    stand for the paper's of the same kind.
    """

    def is_asked(found: Column) -> bool:
        if AVERAGE in (asked, found.task) or asked == EACH_TASK:
            return (found.task == AVERAGE) == (asked == AVERAGE)
        return tasks_table()[found.task].harness_task == tasks_table()[asked].harness_task

    complete, left_out = [], []
    for measured in tables_of_models(results, table, with_equals(methods), sparsities):
        columns = [c for c in measured.columns if measured.definition.layout != TASKS or is_asked(c)]
        absent = [(c, key) for c in columns for key in methods if (key, c.name) not in measured.entries]
        if absent:
            column, key = absent[0]
            left_out.append(f"{_name(measured, column)}: {key} was not run")
        else:
            complete += [(measured, column) for column in columns]
    return complete, left_out


def _name(table: MeasuredTable, column: Column) -> str:
    """What a column is called; columns of tasks do not name their model."""
    return f"{column.model} {column.name}" if table.definition.layout == TASKS else column.name


def tables_of_models(
    results: Results, table: str, methods: Sequence[str], sparsities: Sequence[float] | None = None
) -> Iterator[MeasuredTable]:
    """The rows of some methods (under their keys) in a table's columns, model by model, as far as cells are there.

    Models without any cell of these are passed over.
    """
    if results.cells is None:
        return
    definition = definitions()[table]
    if sparsities is not None:
        definition = definition.model_copy(update={"sparsities": tuple(sparsities)})
    if len(definition.sparsities) > 1:
        definition = definition.model_copy(update={"layout": "models@sparsity"})
    cells = results.cells[results.cells["split"] == definition.split]
    zero_shot = cells["task"].isin([task for task in tasks_table() if is_zero_shot(task)])
    held = cells[(zero_shot == (definition.task == ZERO_SHOT)) & (cells["status"] == "ok")]
    rows = [Row(name=key, method=key) for key in dict.fromkeys(methods)]
    for model in [model for model in results.models if model in set(held["model"])]:
        columns = tuple(definition.columns([model], tasks_of(definition, held, [model])))
        entries, _ = measured_entries(cells, rows, columns, definition.split)
        if entries:
            yield MeasuredTable(definition, columns, entries)


def speed(phase: str, results: Results, *, method: str, than: Sequence[str], sparsity: float) -> Places:
    """How fast models read their prompt (``prefill``) or write (``decode``): every setting is a place."""
    own = _timed(results, method, phase, sparsity)
    of_methods = {key: _timed(results, key, phase, sparsity) for key in with_equals([method, *than])}
    if DENSE in than:
        of_methods[DENSE] = dict.fromkeys(own, Side(1.0, low=1.0, high=1.0))
    places = []
    for setting in [setting for setting in own if all(setting in of_methods[key] for key in than)]:
        sides = {key: settings[setting] for key, settings in of_methods.items() if setting in settings}
        model, compare = setting[0], functools.partial(_faster, sides)
        places.append(Place(model, model, sides, phase, False, "% faster", compare))
    if not places:
        raise NotJudgedError(Verdict.NOT_RUN, f"no inference measured of {method} beside {', '.join(than)}")
    return places, []


def _timed(results: Results, method: str, phase: str, sparsity: float) -> dict[tuple, Side]:
    """Speedups over the dense model, by setting. Of a model only the size is known, which decides its speed."""
    if results.inference is None:
        return {}
    rows, found = of_sparsity(results.inference, sparsity), {}
    for row in rows[rows["method"] == method].to_dict("records"):
        speedup, low, high = (row[f"{phase}_speedup{end}"] for end in ("", "_low", "_high"))
        size = None if math.isnan(row["parameters"]) else row["parameters"]
        found[tuple(row[name] for name in _SETTING)] = Side(speedup, Removed(None, size), low=low, high=high)
    return found


def _faster(sides: Mapping[str, Side], better: str, worse: str) -> Comparison:
    """The interval takes the far ends of both, since the two were not measured against each other: it is too wide."""
    own, other = sides[better], sides[worse]
    ratios = (own.value / other.value, own.low / other.high, own.high / other.low)
    effect, low, high = (None if math.isnan(ratio) else 100 * (ratio - 1) for ratio in ratios)
    return Comparison(effect, low, high, over="" if low is None else "rounds of one measurement")
