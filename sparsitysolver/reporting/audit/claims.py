"""Claims about costs and sparsity labels, as data beside the tables: recomputed from what they are made of."""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

from sparsitysolver.config.paper import Cost, CostInput, Label, costs, labels
from sparsitysolver.config.registry import models_table
from sparsitysolver.config.tables import DASH
from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.models.published import PublishedModel, published_model
from sparsitysolver.pruning.widths import removed_fraction, sliced_width, stored_parameters
from sparsitysolver.reporting.audit.checks import Finding, Line
from sparsitysolver.reporting.audit.read_published import Number, PrintedTable

COSTS, LABELS = "costs.yaml", "labels.csv"  # beside the tables
PROSE = "text"  # the table of a claim that rests on no table
ALL_MODELS = "*"
_OPERATORS: dict[type, Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_RELATIONS: dict[str, Callable[[Fraction, Fraction, Fraction], bool]] = {
    "equals": lambda computed, stated, tolerance: abs(computed - stated) <= tolerance,
    "at most": lambda computed, stated, tolerance: computed <= stated + tolerance,
    "at least": lambda computed, stated, tolerance: computed >= stated - tolerance,
}
_PERCENT = 100
_SCALES = {"M": 10**6, "B": 10**9}

Tables = Mapping[str, PrintedTable]


def claim_lines(folder: Path, tables: Tables, whole: bool) -> list[Line]:
    """What is found on the costs and labels that a folder claims of its tables; nothing where it has no such files.

    Args:
        folder: the folder.
        tables: the tables audited, by name.
        whole: whether they are all tables of the folder; if not, claims on other tables are left out.

    Raises:
        SparsitySolverError: a broken file or entry, or a place that does not exist.
    """

    def is_audited(table: str, where: str) -> bool:
        if whole:
            known(f"table (in {where})", table, (*tables, PROSE))
        return whole or table in tables

    lines = []
    for position, cost in enumerate(costs(folder / COSTS), start=1):
        where = f"{folder / COSTS}, entry {position}"
        if is_audited(cost.table, where):
            lines += [_cost(cost, column, tables.get(cost.table), where) for column in cost.columns]
    for where, label in labels(folder / LABELS):
        if is_audited(label.table, where):
            models = _models(label, tables.get(label.table), where)
            lines += [line for model in models for line in _label(label, model, where)]
    return lines


def _cost(cost: Cost, column: str, table: PrintedTable | None, where: str) -> Line:
    _check_place(table, cost.method, column, where)
    place = (cost.table, cost.method, column, cost.stated or DASH, "cost")
    inputs = {name: _input(given, table, column, f"{where}, inputs, {name}") for name, given in cost.inputs.items()}
    empty = [name for name, number in inputs.items() if number is None]
    if empty:
        return Line(*place, *Finding.unchecked(f"{cost.quantity}: the table has no {', '.join(empty)}"))
    computed = evaluate(cost.formula, {name: number.value for name, number in inputs.items()}, where)
    terms = re.sub(r"[A-Za-z_]\w*", lambda name: inputs[name.group()].text, cost.formula)
    made = f"{cost.quantity}: {terms} = {float(computed):.2f}"
    if not cost.stated:
        return Line(*place, *Finding.unchecked(f"{made}; never stated ({cost.source})"))
    stated = _number(cost.stated, f"{where}, stated")
    tolerance = _number(cost.tolerance, f"{where}, tolerance").value if cost.tolerance else stated.unit / 2
    flagged = not _RELATIONS[cost.relation](computed, stated.value, tolerance)
    allowed = f"stated: {cost.relation} {stated.text}, tolerance {float(tolerance):g} ({cost.source})"
    return Line(*place, *Finding.of(flagged, f"{made}; {allowed}"))


def _input(given: CostInput, table: PrintedTable | None, column: str, where: str) -> Number | None:
    """A number of a cost: a cell of the entry's table and column, None where it holds a dash, or a value as given."""
    if not given.row:
        return _number(given.value, where)
    if table is None:
        raise SparsitySolverError(f"{where}: 'row' needs a table; the entry's is '{PROSE}'.")
    _check_place(table, given.row, column, where)
    return table.numbers.get((given.row, column))


def evaluate(formula: str, values: Mapping[str, Fraction], where: str) -> Fraction:
    """The exact value of a formula of names, whole numbers, ``+ - * /`` and brackets.

    Raises:
        SparsitySolverError: anything else in the formula, an unknown name, or a division by zero.
    """

    def value(node: ast.AST) -> Fraction:
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return Fraction(node.value)
        if isinstance(node, ast.Name):
            return values[known(f"input in the formula '{formula}' (in {where})", node.id, values)]
        raise SparsitySolverError(f"{where}: formula '{formula}' may hold inputs, whole numbers, + - * / and brackets.")

    try:
        return value(ast.parse(formula, mode="eval").body)
    except (SyntaxError, ZeroDivisionError) as error:
        raise SparsitySolverError(f"{where}: formula '{formula}' has no value: {error}.") from error


def _models(label: Label, table: PrintedTable | None, where: str) -> list[PublishedModel]:
    """The models that a label is of."""
    _check_place(table, label.method, None, where)
    models = [label.model]
    if label.model == ALL_MODELS:
        if table is None:
            raise SparsitySolverError(f"{where}, column 'model': '{ALL_MODELS}' needs a table.")
        columns = [column.split("@")[0] for column in table.columns if (label.method, column) in table.numbers]
        models = [model for model in dict.fromkeys(columns) if model in models_table()]
    try:
        return [published_model(model) for model in models]
    except SparsitySolverError as error:
        raise SparsitySolverError(f"{where}: {error}") from error


def _label(given: Label, model: PublishedModel, where: str) -> Iterator[Line]:
    """The label against what is really removed, and the stated number of parameters against the real one."""
    label = Number.parse(given.label.removesuffix("%")) if given.label.endswith("%") else None
    if label is None or not 0 <= label.value < _PERCENT:
        raise SparsitySolverError(
            f"{where}, column 'label': a percentage below 100% is needed, such as 20%; found '{given.label}'."
        )
    tolerance = _number(given.tolerance, f"{where}, column 'tolerance'").value / _PERCENT
    share = float(label.value / _PERCENT)
    if given.measure == "width":  # SliceGPT at a slicing ratio
        width = sliced_width(model.shape.hidden, share)
        removed, parameters = removed_fraction(model.shape, width), stored_parameters(model, width)
        how = f"width {width} of {model.shape.hidden}"
    else:  # of the prunable weights; biases that go with removed rows are counted as left
        gone = round(label.value / _PERCENT * model.shape.prunable_weights)
        removed, parameters = gone / model.shape.prunable_weights, model.parameters - gone
        how = f"taking {share:.0%} of the decoder's weights"
    real = f"{parameters:,} parameters, {parameters / model.parameters:.3f} of the dense model's {model.parameters:,}"
    of_weights = f"{_PERCENT * removed:.2f}% of the prunable weights, tolerance {given.tolerance} points"
    off, detail = abs(removed - share) > tolerance, f"{how} removes {of_weights}; {real} ({given.source})"
    found = {given.label: Finding.of(off, detail)}
    if given.stated:  # such as 6.1B
        scale, stated = _SCALES.get(given.stated[-1]), Number.parse(given.stated[:-1])
        if scale is None or stated is None:
            fault = f"a number with M or B is needed, such as 6.1B; found '{given.stated}'"
            raise SparsitySolverError(f"{where}, column 'stated': {fault}.")
        off, detail = not stated.prints(Fraction(parameters, scale)), f"{how} leaves {real} ({given.source})"
        found[given.stated] = Finding.of(off, detail)
    for text, finding in found.items():
        yield Line(given.table, given.method, model.key, text, "label", *finding)


def _number(text: str, where: str) -> Number:
    number = Number.parse(text)
    if number is None:
        raise SparsitySolverError(f"{where}: a decimal number is needed; found '{text}'.")
    return number


def _check_place(table: PrintedTable | None, row: str, column: str | None, where: str) -> None:
    """Rows and columns that a claim names must be there, where it is one about a table."""
    if table is not None:
        known(f"row of {table.path} (in {where})", row, table.rows)
        if column is not None:
            known(f"column of {table.path} (in {where})", column, table.columns)
