"""``config/paper/claims.yaml``: the testable sentences of the paper, each with the test that judges it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from sparsitysolver import CONFIG
from sparsitysolver.config.contract import Contract, checked, read_yaml
from sparsitysolver.config.registry import models_table
from sparsitysolver.config.tables import DASH, TASKS, load_definition, tables
from sparsitysolver.errors import SparsitySolverError, known
from sparsitysolver.plans.needs import figures, studies
from sparsitysolver.reporting.claims.paired import OTHERS, Paired
from sparsitysolver.reporting.claims.rules import Kind, TableName
from sparsitysolver.reporting.claims.runs import Runs
from sparsitysolver.reporting.claims.within import Monotone, Within

CLAIMS = CONFIG / "paper" / "claims.yaml"
BOLD = "bold-"  # begins the ids of claims made from bold cells
PAPER_MODELS = "paper"  # in place of a list: the models of the paper
KINDS: dict[str, type[Kind]] = {"paired": Paired, "runs": Runs, "within": Within, "monotone": Monotone}
_TARGETS = {"table": tables, "figure": figures, "study": studies}


def _test(given: Any) -> Kind:
    if not isinstance(given, Mapping):
        raise ValueError("a kind of test with its measure and parameters is needed")
    return checked(KINDS[known("kind of test", str(given.get("kind", "")), KINDS)], given, "test")


def _target(given: str) -> str:
    kind = re.fullmatch(r"(table|figure|study)\d+", given)
    if not kind:
        raise ValueError("name the table, figure or study that measures it, such as table2, figure6 or study1")
    return known(kind[1], given, _TARGETS[kind[1]]())


def _of_paper(given: Any) -> Any:
    return [key for key, row in models_table().items() if row.paper_name] if given == PAPER_MODELS else given


def _family(name: str) -> str:
    return known("family", name, {row.family for row in models_table().values()})


ModelKey = Annotated[str, AfterValidator(lambda key: known("model", key, models_table()))]
Text = Annotated[str, Field(min_length=1)]


class Claim(Contract):
    """One testable sentence."""

    key: Text = Field(alias="id")
    sentence: Text = Field(alias="claim")  # a paraphrase
    section: Text  # that makes it: its number, once read with its title
    source: Text  # where in the paper it stands
    test: Annotated[Kind, BeforeValidator(_test)]
    needs: Annotated[str, BeforeValidator(_target)]  # whose making measures it; by default the table of its test
    models: Annotated[tuple[ModelKey, ...], BeforeValidator(_of_paper)] = ()  # that it is about; of all where empty
    families: tuple[Annotated[str, AfterValidator(_family)], ...] = ()  # as models
    negated: bool = False  # whether the opposite of the test is claimed

    @model_validator(mode="before")
    @classmethod
    def _needs_the_table(cls, given: Any) -> Any:
        test = given.get("test") if isinstance(given, Mapping) else None
        table = test.get("table", "") if isinstance(test, Mapping) else ""
        return {"needs": table} | given if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _can_be_negated(self) -> "Claim":
        if self.negated and not isinstance(self.test, Runs):  # whose one mean decides: the opposite is of its kind
            raise SparsitySolverError(f"a claim of kind '{self.test.kind}' cannot be negated; those of 'runs' can.")
        return self

    def concerns(self, model: str, family: str | None) -> bool:
        """Whether it is about a model of a family; a claim that names neither is about all."""
        return (not self.models or model in self.models) and (not self.families or family in self.families)


class BoldCells(Contract):
    """A table whose bold cells are claims, and the section that makes them."""

    table: TableName
    section: str


class Claims(Contract):
    """The whole file: titles of sections by number, claims, and tables whose bold cells are claims too."""

    sections: dict[str, str]
    claims: tuple[dict[str, Any], ...] = ()
    bold: tuple[BoldCells, ...] = ()


def load_claims(path: Path = CLAIMS) -> list[Claim]:
    """Read and check the claims: those listed, then one for every bold cell of the tables listed under ``bold``.

    Raises:
        SparsitySolverError: no such file, broken YAML, or a claim with a field, kind, measure, parameter, method,
            table, section, model or family that does not exist, or an id that stands twice; it names the claim.
    """
    if not path.is_file():
        raise SparsitySolverError(f"no claims at {path}.")
    file = read_yaml(path, Claims)
    bold = [fields for cells in file.bold for fields in _bold(cells)]
    claims: dict[str, Claim] = {}
    for fields in (*file.claims, *bold):
        where = f"{path}, claim '{fields.get('id', '?')}'"
        claim = checked(Claim, fields, where)
        if claim.key in claims:
            raise SparsitySolverError(
                f"{path}: two claims have the id '{claim.key}'; every claim needs one of its own."
            )
        title = f"{claim.section} {file.sections[known(f'section (in {where})', claim.section, file.sections)]}"
        claims[claim.key] = claim.model_copy(update={"section": title})
    return list(claims.values())


def _bold(cells: BoldCells) -> Iterator[dict[str, Any]]:
    """A claim for every bold cell: the best pruned row of a published column is the best of that column.

    A column of a model is about that model. A column of a task is about the task: other models' order is judged too.
    """
    definition = load_definition(cells.table)
    of_tasks = definition.layout == TASKS
    for column in definition.published_columns:
        model, _, sparsity = column.partition("@")
        published = definition.published[column]
        rows = [row for row in definition.compared_rows if published[row.name] != DASH]
        row = (max if of_tasks else min)(rows, key=lambda row: float(published[row.name]))
        axes = {"column": model} if of_tasks else {"sparsities": [float(sparsity)]} if sparsity else {}
        test = {"kind": "paired", "measure": "quality", "table": cells.table, "method": row.method, "than": OTHERS}
        number = cells.table.removeprefix("table")
        yield {
            "id": f"{BOLD}{cells.table}-{column}",
            "claim": f"{row.name} is the best pruned row of Table {number} for {column}.",
            "section": cells.section,
            "source": f"Table {number}, bold cell",
            "test": test | axes,
            "models": [] if of_tasks else [model],
        }
