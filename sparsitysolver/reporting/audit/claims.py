"""Claims about costs and sparsity labels, as data beside the tables: recomputed from what they are made of."""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from sparsitysolver.config.registry import models_table
from sparsitysolver.config.tables import DASH
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.models.published import PublishedModel, published_model
from sparsitysolver.pruning.widths import removed_fraction, sliced_width, stored_parameters
from sparsitysolver.records.files import Json
from sparsitysolver.reporting.audit.checks import Finding
from sparsitysolver.reporting.audit.read_published import Number, PrintedTable, read_lines

PROSE = "text"  # the table of a claim that rests on no table
ALL_MODELS = "*"
_COST_FIELDS = ("table", "method", "columns", "quantity", "inputs", "formula", "source")
_COST_OPTIONS = ("stated", "relation", "tolerance")
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
_LABEL_FIELDS = ("table", "method", "model", "measure", "label", "tolerance", "stated", "source")
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

    An entry of the YAML list names the place (``table``, ``method``, ``columns``), the ``quantity``, its ``inputs``
    (cells of the same column by ``row``, or a ``value`` with its ``source``), the ``formula`` over them, and what is
    ``stated`` (nothing: the cost is computed, never flagged), in which ``relation`` (equals, at most, at least) and
    with which ``tolerance`` (half a unit of the last printed digit by default).

    Args:
        path: the file of claims.
        tables: the tables audited, by name.
        whole: whether they are all tables of the folder; if not, claims on other tables are left out.

    Raises:
        SparsitySolverError: a broken file or entry, or a place that does not exist.
    """
    if not path.is_file():
        return []
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SparsitySolverError(f"{path} is no YAML file: {' '.join(str(error).split())}.") from error
    if not isinstance(entries, list):
        raise SparsitySolverError(f"{path}: a list of costs is needed.")
    claims = []
    for position, entry in enumerate(entries, start=1):
        where = f"{path}, entry {position}"
        _check_fields(entry, where)
        if _is_audited(entry["table"], tables, whole, where):
            claims += [_cost(entry, str(column), tables, where) for column in entry["columns"]]
    return claims


def _check_fields(entry: Any, where: str) -> None:
    if not isinstance(entry, dict):
        raise SparsitySolverError(f"{where}: fields are needed: {', '.join(_COST_FIELDS)}.")
    for field in entry:
        if field not in (*_COST_FIELDS, *_COST_OPTIONS):
            raise unknown_name(f"field (in {where})", str(field), (*_COST_FIELDS, *_COST_OPTIONS))
    for field in _COST_FIELDS:
        kind = {"inputs": dict, "columns": list}.get(field, str)
        if not isinstance(entry.get(field), kind) or not entry[field]:
            raise SparsitySolverError(f"{where}: '{field}' is missing or no {kind.__name__}.")
    relation = str(entry.get("relation", "equals"))
    if relation not in _RELATIONS:
        raise unknown_name(f"relation (in {where})", relation, _RELATIONS)


def _is_audited(table: str, tables: Tables, whole: bool, where: str) -> bool:
    if table in tables:
        return True
    if whole and table != PROSE:
        raise unknown_name(f"table (in {where})", table, (*tables, PROSE))
    return whole


def _cost(entry: Json, column: str, tables: Tables, where: str) -> Claim:
    table, formula, quantity = tables.get(entry["table"]), entry["formula"], entry["quantity"]
    _check_place(table, entry["method"], column, where)
    place = (entry["table"], entry["method"], column, str(entry.get("stated", DASH)))
    inputs = {name: _input(given, table, column, f"{where}, input '{name}'") for name, given in entry["inputs"].items()}
    empty = [name for name, number in inputs.items() if number is None]
    if empty:
        return Claim(*place, Finding.unchecked(f"{quantity}: the table has no {', '.join(empty)}"))
    computed = evaluate(formula, {name: number.value for name, number in inputs.items()}, where)
    terms = _NAME.sub(lambda name: inputs[name.group()].text, formula)
    made = f"{quantity}: {terms} = {float(computed):.2f}"
    if "stated" not in entry:
        return Claim(*place, Finding.unchecked(f"{made}; never stated ({entry['source']})"))
    stated = _number(entry["stated"], f"{where}, 'stated'")
    given = entry.get("tolerance")
    tolerance = stated.unit / 2 if given is None else _number(given, f"{where}, 'tolerance'").value
    relation = entry.get("relation", "equals")
    flagged = not _RELATIONS[relation](computed, stated.value, tolerance)
    allowed = f"stated: {relation} {stated.text}, tolerance {float(tolerance):g} ({entry['source']})"
    return Claim(*place, Finding.of(flagged, f"{made}; {allowed}"))


def _input(given: Any, table: PrintedTable | None, column: str, where: str) -> Number | None:
    """A number of a cost: a cell of the entry's table and column, None where it holds a dash, or a value as given."""
    fields = given.keys() if isinstance(given, dict) else set()
    if fields == {"row"}:
        if table is None:
            raise SparsitySolverError(f"{where}: 'row' needs a table; the entry's is '{PROSE}'.")
        _check_place(table, str(given["row"]), column, where)
        return table.numbers.get((given["row"], column))
    if fields == {"value", "source"}:
        return _number(given["value"], where)
    raise SparsitySolverError(f"{where}: 'row' (of the table) or 'value' and 'source' are needed; found {given}.")


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

    A line names table, method, model (``*``: every model column in which the method has a number), the measure that
    the label is of (``width``: SliceGPT's slicing of the residual stream; ``weights``: a share of the prunable
    weights), the label, a tolerance in points, the parameters ``stated`` (such as 6.1B; may be empty) and its source.

    Args:
        path: the file of claims.
        tables: the tables audited, by name.
        whole: whether they are all tables of the folder; if not, claims on other tables are left out.

    Raises:
        SparsitySolverError: a broken file or line, or a place that does not exist.
    """
    if not path.is_file():
        return []
    header, lines = read_lines(path, "table")
    missing = [field for field in _LABEL_FIELDS if field not in header]
    if missing:
        raise SparsitySolverError(f"{path}, line 1: column '{missing[0]}' is missing; found {', '.join(header)}.")
    claims = []
    for line, fields in lines:
        where = f"{path}, line {line}"
        if _is_audited(fields["table"], tables, whole, where):
            for model in _models(fields, tables, where):
                claims += _label(fields, _published(model, where), where)
    return claims


def _published(model: str, where: str) -> PublishedModel:
    try:
        return published_model(model)
    except SparsitySolverError as error:
        raise SparsitySolverError(f"{where}: {error}") from error


def _models(fields: dict[str, str], tables: Tables, where: str) -> list[str]:
    table = tables.get(fields["table"])
    _check_place(table, fields["method"], None, where)
    if fields["model"] != ALL_MODELS:
        return [fields["model"]]
    if table is None:
        raise SparsitySolverError(f"{where}, column 'model': '{ALL_MODELS}' needs a table.")
    models = [column.split("@")[0] for column in table.columns if (fields["method"], column) in table.numbers]
    return [model for model in dict.fromkeys(models) if model in models_table()]


def _label(fields: dict[str, str], model: PublishedModel, where: str) -> Iterator[Claim]:
    """The label against what is really removed, and the stated number of parameters against the real one."""
    if fields["measure"] not in _MEASURES:
        raise unknown_name(f"measure (in {where})", fields["measure"], _MEASURES)
    label = _percent(fields["label"], f"{where}, column 'label'")
    tolerance = _number(fields["tolerance"], f"{where}, column 'tolerance'").value / _PERCENT
    removed, parameters, how = _MEASURES[fields["measure"]](model, label)
    real = f"{parameters:,} parameters, {parameters / model.parameters:.3f} of the dense model's {model.parameters:,}"
    place = (fields["table"], fields["method"], model.key)
    source = fields["source"]
    share = f"{_PERCENT * removed:.2f}% of the prunable weights, tolerance {fields['tolerance']} points"
    detail = f"{how} removes {share}; {real} ({source})"
    yield Claim(*place, fields["label"], Finding.of(abs(removed - float(label)) > tolerance, detail))
    if fields["stated"]:
        fits = _states(fields["stated"], parameters, f"{where}, column 'stated'")
        yield Claim(*place, fields["stated"], Finding.of(not fits, f"{how} leaves {real} ({source})"))


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


def _number(given: Any, where: str) -> Number:
    number = Number.parse(str(given))
    if number is None:
        raise SparsitySolverError(f"{where}: a decimal number is needed; found '{given}'.")
    return number


def _check_place(table: PrintedTable | None, row: str, column: str | None, where: str) -> None:
    """Rows and columns that a claim names must be there, where it is one about a table."""
    if table is None:
        return
    if row not in table.rows:
        raise unknown_name(f"row of {table.path} (in {where})", row, table.rows)
    if column is not None and column not in table.columns:
        raise unknown_name(f"column of {table.path} (in {where})", column, table.columns)
