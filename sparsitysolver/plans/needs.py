"""What tables, figures and studies need: cells, searches, measurements, by the file that collects them (no torch)."""

import functools
from collections.abc import Iterator
from typing import Any

import yaml

from sparsitysolver import CONFIG
from sparsitysolver.config.grid import Cell, Grid
from sparsitysolver.config.registry import method, methods_table
from sparsitysolver.errors import SparsitySolverError, unknown_name

CELLS, STRATEGIES, CURVES, INFERENCE, RECONSTRUCTION = KINDS = (
    "cells",
    "strategies",
    "curves",
    "inference",
    "reconstruction",
)
DENSE = "dense"
STUDIED = "uniform_recon"  # stands for reconstruction studies, which have the uniform strategy


def figures() -> list[str]:
    """Names of the paper's figures, in the order of their numbers."""
    return sorted((path.stem for path in (CONFIG / "figures").glob("figure*.yaml")), key=lambda name: (len(name), name))


def studies() -> list[str]:
    """Names of the studies: measurements that no table or figure shows, for claims alone."""
    return sorted((path.stem for path in (CONFIG / "studies").glob("*.yaml")), key=lambda name: (len(name), name))


@functools.cache
def figure(name: str) -> dict[str, Any]:
    """The definition of a figure, ``config/figures/NAME.yaml``, or of a study, ``config/studies/NAME.yaml``.

    ``needs`` lists what it is drawn from: ``from`` (one of ``KINDS``), ``methods``, ``sparsity``, and how many
    ``seeds`` and ``models`` where these are not the grid's own; a reconstruction study's ``samples`` likewise.
    """
    path = CONFIG / ("studies" if name in studies() else "figures") / f"{name}.yaml"
    if not path.is_file():
        raise unknown_name("figure", name, figures())
    definition = yaml.safe_load(path.read_text())
    for need in definition["needs"]:
        if need["from"] not in KINDS:
            raise unknown_name(f"kind of results (in {path})", need["from"], KINDS)
        for key in need.get("methods", []):
            if key not in methods_table():
                raise unknown_name(f"method (in {path})", key, methods_table())
    return definition


def drawable(grid: Grid) -> list[str]:
    """The figures that a grid has models for: one that shows the third model needs three."""
    return [
        name for name in figures() if grid.own_models(name) or figure(name).get("first_model", 0) < len(grid.models)
    ]


def kinds(target: str) -> list[str]:
    """The kinds of results that a figure is drawn from."""
    return list(dict.fromkeys(need["from"] for need in figure(target)["needs"]))


@functools.cache
def needed(grid: Grid, kind: str, target: str | None = None) -> tuple[Cell, ...]:
    """Cells, searches or measurements of one kind that a target needs, or without target all, each once.

    A search is named by a cell of a method that searches, on the grid's own perplexity task.
    """
    targets = [target] if target else [*grid.tables(), *drawable(grid), *studies()]
    return tuple(dict.fromkeys(cell for name in targets for cell in _of_target(grid, kind, name)))


def _of_target(grid: Grid, kind: str, target: str) -> Iterator[Cell]:
    if target in grid.tables():
        if kind == CELLS:
            yield from grid.table_cells(target)
        elif kind == CURVES:
            yield from _table_searches(grid, target)
        return
    definition = figure(target)
    for need in definition["needs"]:
        if need["from"] == kind:
            yield from _of_need(grid, target, need)


def _of_need(grid: Grid, target: str, need: dict[str, Any]) -> Iterator[Cell]:
    """Cells of one entry of ``needs``; the reconstruction study has no method: it is the uniform strategy's."""
    seeds = [str(index) for index in range(need["seeds"])] if "seeds" in need else grid.seeds
    for model in figure_models(grid, target)[: need.get("models")]:
        for name in need.get("methods", [STUDIED]):
            for sparsity in ["0"] if name == DENSE else [str(value) for value in _list(need["sparsity"])]:
                for seed in ["0"] if name == DENSE else seeds:
                    yield Cell(model, name, sparsity, seed, grid.task)


def study_samples(grid: Grid, cell: Cell) -> list[int]:
    """Numbers of samples of a reconstruction study: those of every target that needs it, so that it is made once."""
    numbers: set[int] = set()
    for target in [*drawable(grid), *studies()]:
        for need in figure(target)["needs"]:
            if need["from"] == RECONSTRUCTION and cell in _of_need(grid, target, need):
                numbers |= set(need.get("samples", grid.study_samples))
    return sorted(numbers)


def figure_models(grid: Grid, target: str) -> list[str]:
    """The models of a figure: those the grid names for it, else its own number of the grid's models."""
    named = grid.own_models(target)
    definition = figure(target)
    if named is not None:
        return named
    start = definition.get("first_model", 0)
    count = definition.get("models")
    models = grid.models[start : start + count if count else None]
    if not models:
        raise SparsitySolverError(
            f"{target} shows the grid's model number {start + 1}, and grid '{grid.name}' has {len(grid.models)} here: "
            f"{', '.join(grid.models)}. Name more with --config models=a,b,c."
        )
    return models


def _table_searches(grid: Grid, target: str) -> Iterator[Cell]:
    """Searches whose curves a table reports: rows with a ``quantity``."""
    for row in [*grid.table(target)["rows"], *grid.table(target).get("extended", [])]:
        if "quantity" in row:
            for model in grid.table_models(target):
                for seed in grid.seeds:
                    yield Cell(
                        model, row["method"], str(row.get("sparsity", grid.table(target)["sparsity"])), seed, grid.task
                    )


def first_search(cell: Cell) -> Cell | None:
    """The search whose agent a warm-started search begins with."""
    given = method(cell.method).search_options.get("warm_start")
    if given is None:
        return None
    name, sparsity = given.split("@")
    return Cell(cell.model, name, sparsity, cell.seed, cell.task)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
