"""``config/paper/claims.yaml``: the testable sentences of the paper, each with a predicate over the results."""

import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from sparsitysolver import CONFIG
from sparsitysolver.config.registry import AVERAGE, methods_table, models_table, tasks_table
from sparsitysolver.config.tables import DASH, TASKS, Definition, Row, load_definition
from sparsitysolver.errors import SparsitySolverError, unknown_name
from sparsitysolver.plans.needs import figures, studies
from sparsitysolver.reporting.claims.cells import EACH_TASK, best_of, better, cells_in_range, fewer_parameters
from sparsitysolver.reporting.claims.curves import (
    converges,
    curve_better,
    episodes_to,
    faster,
    oscillates,
    overlap,
    rewards_in_range,
    rises,
)
from sparsitysolver.reporting.claims.measurements import faster_inference, monotone, reconstruction_in_range
from sparsitysolver.reporting.claims.reuse import gpu_hours_to_best_of, reaches_best_of, sooner_at_best_of
from sparsitysolver.reporting.claims.rules import Judgement
from sparsitysolver.reporting.claims.strategies import more_in_middle, more_varied
from sparsitysolver.reporting.compare.metrics import lower_is_better
from sparsitysolver.reporting.tables.tables import DENSE

CLAIMS = CONFIG / "paper" / "claims.yaml"
BOLD = "bold-"  # begins the ids of claims made from bold cells
PAPER_MODELS = "paper"  # in place of a list: the models of the paper
_OF_RUNS = (
    *(curve_better, converges, episodes_to, faster, oscillates, rises, overlap),
    *(more_in_middle, more_varied, reaches_best_of, sooner_at_best_of),
)
_OTHERS = (
    *(better, best_of, fewer_parameters, cells_in_range),
    *(rewards_in_range, gpu_hours_to_best_of, faster_inference, monotone, reconstruction_in_range),
)
PREDICATES: dict[str, Callable[..., Judgement]] = {p.__name__: p for p in (*_OF_RUNS, *_OTHERS)}
NEGATABLE = tuple(p.__name__ for p in _OF_RUNS)  # one mean decides, so that its opposite is a claim of the same kind
_FIELDS = ("id", "claim", "section", "source", "test")
_OPTIONAL = ("needs", "models", "families", "negated")
_BOLD = ("table", "section")
_TARGET = re.compile(r"(table|figure|study)\d+")
_METHODS = ("method", "than", "better", "worse")  # parameters that name methods


@dataclass(frozen=True)
class Claim:
    """One testable sentence.

    Attributes:
        key: its ``id``.
        sentence: a paraphrase.
        section: number and title of the section that makes it.
        source: where in the paper it stands.
        needs: the table, figure or study whose making measures what it is about.
        kind: name of its predicate.
        arguments: of the predicate.
        models: where it is about certain models: these.
        families: where it is about certain families: these.
        negated: whether the opposite of the predicate is claimed.
    """

    key: str
    sentence: str
    section: str
    source: str
    needs: str
    kind: str
    arguments: Mapping[str, Any]
    models: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    negated: bool = False

    def concerns(self, model: str, family: str | None) -> bool:
        """Whether it is about a model of a family; a claim that names neither is about all."""
        return (not self.models or model in self.models) and (not self.families or family in self.families)


def load_claims(path: Path = CLAIMS) -> list[Claim]:
    """Read and check the claims: those listed, then one for every bold cell of the tables listed under ``bold``.

    Raises:
        SparsitySolverError: no such file, broken YAML, or a claim with a field, predicate, parameter, method, table,
            section, model or family that does not exist, or an id that stands twice; the message names the claim.
    """
    content = _read(path)
    sections = {str(number): f"{number} {title}" for number, title in content["sections"].items()}
    claims = [_claim(fields, sections, path) for fields in content["claims"]]
    for fields in content["bold"]:
        claims += _bold(fields, sections, path)
    seen: set[str] = set()
    for claim in claims:
        if claim.key in seen:
            raise SparsitySolverError(
                f"{path}: two claims have the id '{claim.key}'; every claim needs one of its own."
            )
        seen.add(claim.key)
    return claims


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no claims at {path}.") from error
    except yaml.YAMLError as error:
        raise SparsitySolverError(f"{path} is no YAML: {error}.") from error
    if not isinstance(content, dict) or not isinstance(content.get("sections"), dict):
        raise SparsitySolverError(f"{path}: 'sections' (titles by number) and 'claims' are needed; 'bold' is allowed.")
    for part in ("claims", "bold"):
        entries = content.setdefault(part, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise SparsitySolverError(f"{path}: '{part}' must be a list of entries with named fields.")
    return content


def _claim(fields: dict[str, Any], sections: Mapping[str, str], path: Path) -> Claim:
    where = f"{path}, claim '{fields.get('id', '?')}'"
    _check_fields(fields, _FIELDS, _OPTIONAL, where)
    if not isinstance(fields["test"], dict):
        raise SparsitySolverError(
            f"{where}: test is {fields['test']!r}; a predicate (kind) with its parameters is needed."
        )
    arguments = dict(fields["test"])
    kind = arguments.pop("kind", "")
    if kind not in PREDICATES:
        raise unknown_name(f"predicate (kind, in {where})", str(kind), PREDICATES)
    _check_arguments(PREDICATES[kind], arguments, where)
    section = str(fields["section"])
    if section not in sections:
        raise unknown_name(f"section (in {where})", section, sections)
    if fields.get("negated") and kind not in NEGATABLE:
        raise SparsitySolverError(f"{where}: '{kind}' cannot be negated; these can: {', '.join(NEGATABLE)}.")
    return Claim(
        key=str(fields["id"]),
        sentence=fields["claim"],
        section=sections[section],
        source=fields["source"],
        needs=_needs(fields.get("needs") or arguments.get("table"), where),
        kind=kind,
        arguments=arguments,
        models=_models(fields.get("models") or [], where),
        families=_families(fields.get("families") or [], where),
        negated=fields.get("negated", False),
    )


def _check_fields(fields: Mapping[str, Any], needed: tuple[str, ...], optional: tuple[str, ...], where: str) -> None:
    for field in fields:
        if field not in (*needed, *optional):
            raise unknown_name(f"field (in {where})", str(field), (*needed, *optional))
    missing = [field for field in needed if not fields.get(field)]
    if missing:
        raise SparsitySolverError(f"{where}: '{missing[0]}' is missing; needed: {', '.join(needed)}.")


def _check_arguments(predicate: Callable[..., Judgement], arguments: Mapping[str, Any], where: str) -> None:
    """The predicate's own signature says which parameters there are, which are needed, and what they may be."""
    hints = get_type_hints(predicate)
    allowed = {name: p for name, p in inspect.signature(predicate).parameters.items() if name != "results"}
    for name, value in arguments.items():
        if name not in allowed:
            raise unknown_name(f"parameter of {predicate.__name__} (in {where})", name, allowed)
        _check_value(name, value, hints[name], where)
    missing = [name for name, p in allowed.items() if p.default is p.empty and name not in arguments]
    if missing:
        raise SparsitySolverError(f"{where}: {predicate.__name__} needs '{missing[0]}'.")


def _check_value(name: str, value: Any, hint: Any, where: str) -> None:
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise unknown_name(f"{name} (in {where})", str(value), get_args(hint))
    if not _fits(value, hint):
        raise SparsitySolverError(f"{where}: {name} is {value!r}; allowed: {getattr(hint, '__name__', hint)}.")
    columns = (AVERAGE, EACH_TASK, *tasks_table())
    allowed = methods_table() if name in _METHODS else {"table": tables(), "column": columns}.get(name)
    for given in [] if allowed is None else value if isinstance(value, list) else [value]:
        if given not in allowed:
            raise unknown_name(f"{'method' if name in _METHODS else name} (in {where})", given, allowed)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value from YAML is of an annotated type; whole numbers are numbers, truth values are not."""
    if isinstance(hint, types.UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is list:
        return isinstance(value, list) and bool(value) and all(_fits(item, get_args(hint)[0]) for item in value)
    if hint in (int, float):
        return isinstance(value, (int, float) if hint is float else int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _needs(target: str | None, where: str) -> str:
    if not target or not _TARGET.fullmatch(target):
        raise SparsitySolverError(
            f"{where}: needs is {target!r}; name the table, figure or study that measures it, such as table2, figure6 "
            "or study1."
        )
    kind, known = target.rstrip("0123456789"), {"table": tables(), "figure": figures(), "study": studies()}
    if target not in known[kind]:
        raise unknown_name(f"{kind} (in {where})", target, known[kind])
    return target


def tables() -> list[str]:
    """Names of the tables defined."""
    return sorted(path.stem for path in (CONFIG / "tables").glob("*.yaml"))


def _models(given: str | list[str], where: str) -> tuple[str, ...]:
    of_paper = tuple(key for key, row in models_table().items() if row.paper_name)
    if given == PAPER_MODELS:
        return of_paper
    for model in given:
        if model not in models_table():
            raise unknown_name(f"model (in {where})", model, models_table())
    return tuple(given)


def _families(given: list[str], where: str) -> tuple[str, ...]:
    known = {row.family for row in models_table().values()}
    for family in given:
        if family not in known:
            raise unknown_name(f"family (in {where})", family, known)
    return tuple(given)


def _bold(fields: Mapping[str, Any], sections: Mapping[str, str], path: Path) -> Iterator[Claim]:
    """A claim for every bold cell: the best pruned row of a published column is the best of that column.

    A column of a model is about that model. A column of a task is about the task: other models' order is judged too.
    """
    where = f"{path}, bold cells of '{fields.get('table', '?')}'"
    _check_fields(fields, _BOLD, (), where)
    table, section = fields["table"], str(fields["section"])
    if section not in sections:
        raise unknown_name(f"section (in {where})", section, sections)
    if table not in tables():
        raise unknown_name(f"table (in {where})", table, tables())
    definition = load_definition(table)
    number = table.removeprefix("table")
    for column in definition.published_columns:
        model, _, sparsity = column.partition("@")
        of_tasks = definition.layout == TASKS
        row = _best_row(definition, column, "acc" if of_tasks else "ppl")
        axes = {"column": model} if of_tasks else {"sparsities": [float(sparsity)]} if sparsity else {}
        yield Claim(
            key=f"{BOLD}{table}-{column}",
            sentence=f"{row.name} is the best pruned row of Table {number} for {column}.",
            section=sections[section],
            source=f"Table {number}, bold cell",
            needs=table,
            kind=best_of.__name__,
            arguments={"table": table, "method": row.method, **axes},
            models=() if of_tasks else (model,),
        )


def _best_row(definition: Definition, column: str, metric: str) -> Row:
    """The pruned row whose published number in a column is the best, which the paper prints in bold."""
    published = definition.published[column]
    rows = [row for row in definition.measured_rows if row.method != DENSE and published[row.name] != DASH]
    return (min if lower_is_better(metric) else max)(rows, key=lambda row: float(published[row.name]))
