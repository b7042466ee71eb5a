"""Claims about costs and sparsity labels, as data beside the tables: recomputed from what they are made of."""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from sparsitysolver.config.paper import Cost, CostInput, Label, costs, labels
from sparsitysolver.config.registry import models_table
from sparsitysolver.config.tables import DASH
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.models.published import PublishedModel, published_model
from sparsitysolver.pruning.widths import removed_fraction, sliced_width, stored_parameters
from sparsitysolver.reporting.audit.checks import Finding
from sparsitysolver.reporting.audit.read_published import Number, PrintedTable

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
_NAME = re.compile(r"[A-Za-z_]\w*")
_PERCENT = 100
_SCALES = {"M": 10**6, "B": 10**9}

Tables = Mapping[str, PrintedTable]


@dataclass(frozen=True)
class Claim:
    """A claim and what the audit finds; ``value`` as printed, a dash where nothing is stated."""

    table: str
    method: str
    column: str
    value: str
    finding: Finding


def cost_claims(path: Path, tables: Tables, whole: bool) -> list[Claim]:
    """Stated costs against the product of what they are made of; none where there is no such file.

    Args:
        path: the file of claims.
        tables: the tables audited, by name.
        whole: whether they are all tables of the folder; if not, claims on other tables are left out.

    Raises:
        SparsitySolverError: a broken file or entry, or a place that does not exist.
    """
    claims = []
    for position, cost in enumerate(costs(path), start=1):
        where = f"{path}, entry {position}"
        if _is_audited(cost.table, tables, whole, where):
            claims += [_cost(cost, column, tables, where) for column in cost.columns]
    return claims


def _is_audited(table: str, tables: Tables, whole: bool, where: str) -> bool:
    if table in tables:
        return True
    if whole and table != PROSE:
        raise unknown_name(f"table (in {where})", table, (*tables, PROSE))
    return whole


def _cost(cost: Cost, column: str, tables: Tables, where: str) -> Claim:
    table = tables.get(cost.table)
    _check_place(table, cost.method, column, where)
    place = (cost.table, cost.method, column, cost.stated or DASH)
    inputs = {name: _input(given, table, column, f"{where}, inputs, {name}") for name, given in cost.inputs.items()}
    empty = [name for name, number in inputs.items() if number is None]
    if empty:
        return Claim(*place, Finding.unchecked(f"{cost.quantity}: the table has no {', '.join(empty)}"))
    computed = evaluate(cost.formula, {name: number.value for name, number in inputs.items()}, where)
    terms = _NAME.sub(lambda name: inputs[name.group()].text, cost.formula)
    made = f"{cost.quantity}: {terms} = {float(computed):.2f}"
    if not cost.stated:
        return Claim(*place, Finding.unchecked(f"{made}; never stated ({cost.source})"))
    stated = _number(cost.stated, f"{where}, stated")
    tolerance = _number(cost.tolerance, f"{where}, tolerance").value if cost.tolerance else stated.unit / 2
    flagged = not _RELATIONS[cost.relation](computed, stated.value, tolerance)
    allowed = f"stated: {cost.relation} {stated.text}, tolerance {float(tolerance):g} ({cost.source})"
    return Claim(*place, Finding.of(flagged, f"{made}; {allowed}"))


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
            if node.id not in values:
                raise unknown_name(f"input in the formula '{formula}' (in {where})", node.id, values)
            return values[node.id]
        raise SparsitySolverError(f"{where}: formula '{formula}' may hold inputs, whole numbers, + - * / and brackets.")

    try:
        return value(ast.parse(formula, mode="eval").body)
    except (SyntaxError, ZeroDivisionError) as error:
        raise SparsitySolverError(f"{where}: formula '{formula}' has no value: {error}.") from error


def label_claims(path: Path, tables: Tables, whole: bool) -> list[Claim]:
    """Sparsity labels and stated parameter counts against the model's shape; none where there is no such file.

    Args:
        path: the file of claims.
        tables: the tables audited, by name.
        whole: whether they are all tables of the folder; if not, claims on other tables are left out.

    Raises:
        SparsitySolverError: a broken file or line, or a place that does not exist.
    """
    claims = []
    for where, label in labels(path):
        if _is_audited(label.table, tables, whole, where):
            for model in _models(label, tables, where):
                claims += _label(label, _published(model, where), where)
    return claims


def _published(model: str, where: str) -> PublishedModel:
    try:
        return published_model(model)
    except SparsitySolverError as error:
        raise SparsitySolverError(f"{where}: {error}") from error


def _models(label: Label, tables: Tables, where: str) -> list[str]:
    table = tables.get(label.table)
    _check_place(table, label.method, None, where)
    if label.model != ALL_MODELS:
        return [label.model]
    if table is None:
        raise SparsitySolverError(f"{where}, column 'model': '{ALL_MODELS}' needs a table.")
    models = [column.split("@")[0] for column in table.columns if (label.method, column) in table.numbers]
    return [model for model in dict.fromkeys(models) if model in models_table()]


def _label(given: Label, model: PublishedModel, where: str) -> Iterator[Claim]:
    """The label against what is really removed, and the stated number of parameters against the real one."""
    label = _percent(given.label, f"{where}, column 'label'")
    tolerance = _number(given.tolerance, f"{where}, column 'tolerance'").value / _PERCENT
    removed, parameters, how = _MEASURES[given.measure](model, label)
    real = f"{parameters:,} parameters, {parameters / model.parameters:.3f} of the dense model's {model.parameters:,}"
    place = (given.table, given.method, model.key)
    share = f"{_PERCENT * removed:.2f}% of the prunable weights, tolerance {given.tolerance} points"
    detail = f"{how} removes {share}; {real} ({given.source})"
    yield Claim(*place, given.label, Finding.of(abs(removed - float(label)) > tolerance, detail))
    if given.stated:
        fits = _states(given.stated, parameters, f"{where}, column 'stated'")
        yield Claim(*place, given.stated, Finding.of(not fits, f"{how} leaves {real} ({given.source})"))


def _states(text: str, parameters: int, where: str) -> bool:
    """Whether a printed count such as 6.1B prints a number of parameters."""
    scale, number = _SCALES.get(text[-1]), Number.parse(text[:-1])
    if scale is None or number is None:
        raise SparsitySolverError(f"{where}: a number with M or B is needed, such as 6.1B; found '{text}'.")
    return number.prints(Fraction(parameters, scale))


def _sliced(model: PublishedModel, label: Fraction) -> tuple[float, int, str]:
    """SliceGPT at a slicing ratio: achieved sparsity, all parameters, and the width in words."""
    width = sliced_width(model.shape.hidden, float(label))
    stored = stored_parameters(model, width)
    return removed_fraction(model.shape, width), stored, f"width {width} of {model.shape.hidden}"


def _removed_weights(model: PublishedModel, label: Fraction) -> tuple[float, int, str]:
    """Pruning of a share of the prunable weights; biases that go with removed rows are counted as left."""
    gone = round(label * model.shape.prunable_weights)
    return (
        gone / model.shape.prunable_weights,
        model.parameters - gone,
        f"taking {float(label):.0%} of the decoder's weights",
    )


_MEASURES = {"width": _sliced, "weights": _removed_weights}


def _percent(text: str, where: str) -> Fraction:
    number = Number.parse(text.removesuffix("%")) if text.endswith("%") else None
    if number is None or not 0 <= number.value < _PERCENT:
        raise SparsitySolverError(f"{where}: a percentage below 100% is needed, such as 20%; found '{text}'.")
    return number.value / _PERCENT


def _number(text: str, where: str) -> Number:
    number = Number.parse(text)
    if number is None:
        raise SparsitySolverError(f"{where}: a decimal number is needed; found '{text}'.")
    return number


def _check_place(table: PrintedTable | None, row: str, column: str | None, where: str) -> None:
    """Rows and columns that a claim names must be there, where it is one about a table."""
    if table is None:
        return
    if row not in table.rows:
        raise unknown_name(f"row of {table.path} (in {where})", row, table.rows)
    if column is not None and column not in table.columns:
        raise unknown_name(f"column of {table.path} (in {where})", column, table.columns)
