"""Cells of tables over tasks and over sparsities."""

from cell_factory import first_right, make_cell, make_task_cell

from sparsitysolver.config.registry import tasks_table
from sparsitysolver.config.tables import load_definition

TASKS = ["mini_boolq", "mini_piqa"]
RIGHT = {"mini_boolq": [15, 5, 10, 11, 12], "mini_piqa": [14, 8, 6, 7, 8]}  # of 20 items, by row
PAPER_TASKS = load_definition("table3").published_tasks


def paper_cells(table="table3", model="llama-7b", part=1):
    """The published accuracies as near as whole numbers of items come to them; of every ``part``-th item of a task."""
    definition = load_definition(table)
    published = definition.published.astype(float, errors="ignore")
    cells = []
    for task in PAPER_TASKS:
        items = tasks_table()[task].n_items // part
        for row in (*definition.rows, *definition.extended):
            percent = float(published[task].get(row.name, "50"))
            sparsity = 0.0 if row.method == "dense" else definition.sparsities[0]
            correct = first_right(round(percent * items / 100), items)
            cell = make_task_cell(task, row.method, correct, model=model, sparsity=sparsity)
            del cell["samples"]  # long, and these tests are about means
            cells.append(cell)
    return cells


def perplexity_cells(models=("opt-tiny", "llama-tiny"), **changes):
    """Table 1: perplexity by position of model, row and sparsity, so that every number is of one place only."""
    definition, cells = load_definition("table1"), []
    for m, model in enumerate(models):
        cells.append(make_cell(model, value=10.0 + m, task="mini", **changes))
        for r, row in enumerate((*definition.rows, *definition.extended)[1:], start=1):
            for sparsity in definition.sparsities:
                value = 10 + m + r + sparsity
                cells.append(make_cell(model, row.method, value, sparsity=sparsity, task="mini", **changes))
    return cells
