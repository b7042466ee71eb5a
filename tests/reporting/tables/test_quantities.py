"""Table 6's rows that are read from searches, and Table 7's settings."""

import math

import pytest
from cell_factory import make_cell
from search_factory import AGENT, FOUND, write_search

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.collect import read_cells_csv
from sparsitysolver.reporting.collected.gather import curves_command
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.tables.files import curves_of, table_command
from sparsitysolver.reporting.tables.judged import verdict_of
from sparsitysolver.reporting.tables.measured import episodes_to
from sparsitysolver.reporting.tables.orders import order_claims
from sparsitysolver.reporting.tables.pairs import compare_rows
from sparsitysolver.reporting.tables.settings import settings_command, settings_verdicts
from sparsitysolver.reporting.tables.tables import build_table

METHODS = ("slicegpt", "flap", "sparsitysolver_reuse", "sparsitysolver_reuse_recon", "sparsitysolver")


@pytest.fixture
def table6(collected):
    """Collected cells and curves of Table 6 for one model: the third episode is the first within 1% of the best."""
    more = ("sparsitysolver_recon", "uniform", "uniform_recon", "slicegpt_matched")
    cells = [make_cell(method=name, value=30.0 + i, sparsity=0.3) for i, name in enumerate((*METHODS, *more))]
    out = collected([make_cell(), *cells])
    results = out.parent
    files = [
        write_search(results, [9.0, 8.0, 5.04, 5.0], model="opt-125m", method="sparsitysolver_reuse", sparsity="0.3"),
        write_search(results, [9.0, 5.0], model="opt-125m", method="sparsitysolver_first", sparsity="0.2"),
        write_search(results, [9.0, 8.0, 7.0, 5.0], model="opt-125m", method="sparsitysolver", sparsity="0.3"),
    ]
    curves_command(files, results / "curves_table6.csv")
    return out


def test_table_6_says_what_the_second_search_took(table6):
    table = build_table(
        "table6", read_cells_csv(table6), ["opt-125m"], ["wikitext2"], curves_of("table6", table6.parent)
    )
    shown = {row: table.entries[row, "opt-125m"].text for row, _ in table.entries}
    assert shown["Episode"] == "3"
    assert shown["Episode time (s)"] == "2.00"  # median of 0.5, 1.5, 2.5, 3.5
    assert shown["Episodes of the first search"] == "2"
    assert shown["Episode from scratch"] == "4"
    assert shown["Ours"] == "32.00"
    assert verdict_of(table, "Episode", "opt-125m") is Verdict.NOT_COMPARABLE
    assert not {"Episode", "Episode time (s)"} & {name for c in order_claims(table) for name in (c.better, c.worse)}
    assert not {"Episode"} & {pair.first.name for pair in compare_rows(table, {})}


def test_table_6_is_written_and_needs_its_curves(table6, tmp_path):
    table_command("table6", table6, ["opt-125m"], tmp_path / "out", ["wikitext2"])
    text = (tmp_path / "out" / "table6.csv").read_text()
    assert "\nEpisode,3\n" in text and "\nEpisode time (s),2.00\n" in text
    with pytest.raises(SparsitySolverError, match="'Episode' is read from the curves"):
        build_table("table6", read_cells_csv(table6), ["opt-125m"], ["wikitext2"])
    path = table6.parent / "curves_table6.csv"
    path.write_text(path.read_text().replace("sparsitysolver_reuse", "other"))
    with pytest.raises(SparsitySolverError, match=r"no search of sparsitysolver_reuse at sparsity 0\.3"):
        table_command("table6", table6, ["opt-125m"], tmp_path / "out", ["wikitext2"])


@pytest.mark.parametrize(
    ("curve", "settings", "episodes"),
    [
        ([50.0, 40.0, 30.3, 30.31, 30.0, 30.2], {}, 3),  # the first within 1% of the best
        ([50.0, 40.0, 30.31, 30.0], {}, 4),  # 30.31 is more than 1% above 30
        ([10.0], {}, 1),
        ([10.0, 20.0], {}, 1),
        # A better episode behind the first 300 neither moves the mark nor is the answer.
        ([40.0] * 299 + [30.0] + [10.0] * 10, {}, 300),
        ([40.0] * 299 + [30.0] + [10.0] * 10, {"first": 299}, 1),
        ([40.0] * 299 + [30.0] + [10.0] * 10, {"first": 400}, 301),
        ([12.0, 11.0, 10.0], {"within": 0.2}, 1),
        ([12.0, 11.0, 10.0], {"within": 0.1}, 2),
        ([12.0, 11.0, 10.0], {"within": 0.0}, 3),
        *(([broken, 30.0, 10.0], {}, 3) for broken in (None, math.nan, math.inf)),
        *(([broken, broken], {}, None) for broken in (None, math.nan, math.inf)),
        ([], {}, None),
    ],
)
def test_episodes_needed(curve, settings, episodes):
    assert episodes_to(curve, **settings) == episodes


def test_table_7_reads_the_agent_of_a_search(tmp_path):
    settings_command([write_search(tmp_path, found=FOUND)], tmp_path)
    lines = (tmp_path / "table7.csv").read_text().splitlines()
    assert lines[:3] == ["Parameters,Value", "Actor learning rate,5e-4", "Critic learning rate,5e-4"]
    assert "Actor hidden size,256" in lines and "Optimizer,Adam" in lines and lines[-1] == "Number of episodes,3000"
    assert "clip range,0.2" in (tmp_path / "table7_extended.csv").read_text()


def test_table_7_says_which_settings_differ(tmp_path):
    import pandas as pd

    settings_command([write_search(tmp_path, found=FOUND | {"episodes": 900})], tmp_path)
    verdicts = settings_verdicts(pd.read_csv(tmp_path / "table7.csv", dtype=str)).set_index("Parameters")["verdict"]
    assert verdicts.pop("Number of episodes") == "differs"
    assert set(verdicts) == {"as published"}


def test_table_7_has_one_agent(tmp_path):
    first = write_search(tmp_path, model="a", found=FOUND)
    second = write_search(tmp_path, model="b", found=FOUND | {"agent": AGENT | {"epochs": 3}})
    with pytest.raises(SparsitySolverError, match="differ in 'Number of learning epochs'"):
        settings_command([first, second], tmp_path)
    other = write_search(tmp_path, model="c", found={"algorithm": "amc"})
    with pytest.raises(SparsitySolverError, match="found by 'amc'"):
        settings_command([other], tmp_path)
