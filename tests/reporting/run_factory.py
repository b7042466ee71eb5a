"""A results folder made to order, as a run leaves it: collected cells, Tables 2 and 7, the audit, the page."""

from pathlib import Path

from cell_factory import make_cell, make_grid, replace_cell
from search_factory import FOUND, make_strategy_record, write_search

from sparsitysolver import CONFIG
from sparsitysolver.records.files import content_key, write_json, write_text
from sparsitysolver.reporting.audit.table import audit_command
from sparsitysolver.reporting.collected.collect import collect
from sparsitysolver.reporting.pages.paper_tables import paper_tables_command
from sparsitysolver.reporting.tables.files import table_command
from sparsitysolver.reporting.tables.settings import settings_command

MODEL = "opt-125m"
TABLE = [f"table2{ending}" for ending in (".csv", ".tex", ".md", ".pairs.csv", ".footnotes.json")]
TABLE += ["table2_extended.csv", "table2_extended.tex", "table7_extended.csv", "table7.strategies.json"]
TABLE += [f"table7{ending}" for ending in (".csv", ".tex", ".md")]
KEY = "0123456789abcdef"
SEARCHES = "strategies/m/sparsitysolver/0.2/0/any"


def put_cells(results: Path, cells: list[dict], *tables: str) -> None:
    """Cells where the pipeline puts them, collected as ``cells.csv`` and behind each table."""
    paths = [results / "cells" / cell["model"]["name"] / cell["method"] / f"{content_key(cell)}.json" for cell in cells]
    for cell, path in zip(cells, paths, strict=True):
        write_json(path, cell)
    for name in ("cells", *(f"cells_{table}" for table in tables)):
        collect(paths, results / f"{name}.csv")


def make_results(folder: Path) -> Path:
    """Fill a results folder with Tables 2 and 7 and the audit, and much that no bundle holds."""
    searched = make_cell(method="sparsitysolver", value=31.44, strategy=make_strategy_record(found=FOUND))
    cells = replace_cell(replace_cell(make_grid(), searched), make_cell(method="svd_llm", value=None))
    put_cells(folder, cells, "table2")
    table_command("table2", folder / "cells_table2.csv", [MODEL], folder, ["wikitext2"], "opt125m")
    strategy = write_search(folder, found=FOUND, run={"host": "here"})
    settings_command([strategy], folder)
    audit_command(CONFIG / "paper", folder / "audit.csv", [], False)
    paper_tables_command(folder, folder / "paper_tables.md", "opt125m")
    write_json(strategy.with_name("bb.json"), make_strategy_record(found=FOUND, seed=8))
    others = ("pruned/x/model.safetensors", "pruned/x/config.json", "statistics/x.safetensors", "report.html")
    others += ("calibration/x.npy", "calibration/x.npy.json", "trained/opt/config.json", "inference/x/other.json")
    others += tuple(str(strategy.with_name(name).relative_to(folder)) for name in ("bb.curve.csv", f"{KEY}.agent"))
    for name in others:
        write_text(folder / name, name)
    return folder
