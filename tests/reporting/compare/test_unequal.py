"""Models of different size are not compared: pairs, orders and pages say so with both figures, and name equal twins."""

import pandas as pd
import pytest
from cell_factory import losses, make_cell, make_grid, replace_cell, text_cell
from task_cells import perplexity_cells

from sparsitysolver import CONFIG
from sparsitysolver.config.tables import load_definition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.collected.collect import read_cells_csv
from sparsitysolver.reporting.collected.samples import read_samples, samples_path
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.pages.paper_tables import paper_tables
from sparsitysolver.reporting.tables.entries import printed_count
from sparsitysolver.reporting.tables.files import table_command
from sparsitysolver.reporting.tables.orders import OrderClaim, judge_order, order_claims
from sparsitysolver.reporting.tables.pairs import compare_rows, read_pair_verdicts
from sparsitysolver.reporting.tables.tables import build_table

DENSE_PARAMETERS = make_cell()["size"]["parameters"]


def removing(cell: dict, achieved: float, parameters: int = DENSE_PARAMETERS) -> dict:
    """A cell whose model removed so much."""
    return cell | {"size": cell["size"] | {"achieved_sparsity": achieved, "parameters": parameters}}


def grid_of(**achieved: float) -> list[dict]:
    """Table 2 on opt-tiny, every cell with windows and rising losses; some methods removed another share than 20%."""
    cells = [text_cell(cell["method"], losses(0.01 * i)) for i, cell in enumerate(make_grid(("opt-tiny",)))]
    return [removing(cell, achieved.get(cell["method"], cell["size"]["achieved_sparsity"])) for cell in cells]


@pytest.fixture
def built(collected):
    """A table, and its pairs by (first row, second row)."""

    def build(cells, name="table2", models=("opt-tiny",)):
        path = collected(cells)
        table = build_table(name, read_cells_csv(path), list(models))
        found = compare_rows(table, read_samples(samples_path(path)))
        return table, {(pair.first.name, pair.second.name): pair for pair in found}

    return build


def test_an_unequal_pair_keeps_its_difference_and_is_read_back(collected):
    path = collected(grid_of(slicegpt=0.0936))
    table_command("table2", path, ["opt-tiny"], path.parent)
    written = path.with_name("table2.pairs.csv")
    rows = pd.read_csv(written, dtype=str).set_index(["first row", "second row"])
    line = rows.loc[("SliceGPT", "FLAP")]
    assert line["verdict"] == "unequal sparsity: 9.4% and 20.0% of the prunable weights removed"
    assert float(line["low"]) <= float(line["difference"]) <= float(line["high"]) < 0
    assert read_pair_verdicts(written)["opt-tiny", "SliceGPT", "FLAP"] is Verdict.UNEQUAL
    assert rows.loc[("SliceGPT (parameter-matched)", "FLAP"), "verdict"] == "B better"


def test_parameters_count_too_but_for_what_no_ratio_is_about(built):
    """SliceGPT's untied head makes a small model a fifth larger at equal sparsity; nothing else may."""
    larger = int(1.2 * DENSE_PARAMETERS)
    cells = [
        removing(cell, 0.2, larger) if cell["method"] in ("slicegpt_matched", "flap") else cell for cell in grid_of()
    ]
    _, pairs = built(cells)
    assert pairs["SliceGPT (parameter-matched)", "SVD-LLM"].verdict is Verdict.FAILS
    assert pairs["FLAP", "SVD-LLM"].comparison.unequal == "unequal sparsity: 150,287,155 and 125,239,296 parameters"


def test_the_dense_model_is_compared_only_where_the_paper_prints_a_better_value(built):
    """Table 2 prints 10.47 for Ours (Recon) on OPT-6.7B, whose dense row is 10.85."""
    table, pairs = built(make_grid(("opt-tiny",)))
    assert not [names for names in pairs if "Dense" in names]
    assert not [claim for claim in order_claims(table) if "Dense" in (claim.better, claim.worse)]
    recon = next(row for row in table.definition.rows if row.name == "Ours (Recon)")
    assert table.definition.better_than_dense(recon) == ("opt-6.7b",)
    _, pairs = built(make_grid(("opt-6.7b",)), models=("opt-6.7b",))
    assert [names for names in pairs if "Dense" in names] == [("Dense", "Ours (Recon)")]
    assert pairs["Dense", "Ours (Recon)"].comparison.unequal == ""


def besa_at(achieved: float, **changes: object) -> list[dict]:
    """Table 1 with a BESA that stopped short at every sparsity."""
    return [
        removing(cell, achieved if cell["method"] == "besa" else cell["sparsity"])
        for cell in perplexity_cells(("llama-tiny",), **changes)
    ]


def test_orders_are_judged_on_the_equal_twin_too(built):
    """Values rise row by row: Wanda 1, OWL 2, BESA 3, Ours 4, …, BESA (exact) 9."""
    table, _ = built(besa_at(0.65), "table1", ("llama-tiny",))
    claim = OrderClaim("Ours", "BESA", 6, 6)
    order = judge_order(claim, table, "llama-tiny@0.7", {})
    assert (order.verdict, order.twins, order.on_twins.verdict) == (
        Verdict.UNEQUAL,
        ("BESA (exact)",),
        Verdict.HOLDS,
    )
    assert str(order) == "unequal sparsity: 70.0% and 65.0%; on BESA (exact): order holds"
    equal, _ = built(besa_at(0.7), "table1", ("llama-tiny",))
    assert str(judge_order(claim, equal, "llama-tiny@0.7", {})) == "order reversed; on BESA (exact): order holds"
    wanda = OrderClaim("Wanda", "BESA", 2, 6)
    assert str(judge_order(wanda, equal, "llama-tiny@0.7", {})) == "order holds, on BESA (exact) too"
    alone = OrderClaim("Wanda", "Ours", 1, 6)
    assert str(judge_order(alone, equal, "llama-tiny@0.7", {})) == "order holds"


def test_every_table_with_an_unequal_row_names_its_twin():
    twins = {
        (name, row.name): load_definition(name).twin(row.name).method
        for name in ("table1", "table2", "table3", "table4", "table5", "table6")
        for row in load_definition(name).rows
        if load_definition(name).twin(row.name)
    }
    assert twins == {
        **{(name, "BESA"): "besa_exact" for name in ("table1", "table4")},
        **{(name, "SliceGPT"): "slicegpt_matched" for name in ("table2", "table3", "table5", "table6")},
    }


def test_a_twin_of_an_unknown_method_is_an_error(tmp_path):
    for folder in ("tables", "paper"):
        (tmp_path / folder).mkdir()
    text = (CONFIG / "tables/table4.yaml").read_text().replace("equal_of: besa", "equal_of: bessa")
    (tmp_path / "tables/table4.yaml").write_text(text)
    (tmp_path / "paper/table4.csv").write_bytes((CONFIG / "paper/table4.csv").read_bytes())
    with pytest.raises(SparsitySolverError, match=r"unknown method 'bessa'; did you mean"):
        load_definition("table4", tmp_path)


SOURCES = {"flap": "wikitext2", "slicegpt": "wikitext2", "svd_llm": "c4"}


def sourced(cells: list[dict]) -> list[dict]:
    """FLAP and SliceGPT calibrated on the corpus that is scored, SVD-LLM on C4, Ours searched and repaired as well."""
    cells = [
        cell | {"calibration": {"source": SOURCES[cell["method"]], "tokens": 1}} if cell["method"] in SOURCES else cell
        for cell in cells
    ]
    search = {"algorithm": "ppo", "evaluations": 3000, "tokens": 1, "reward_split": "validation"}
    found = {"found": {"algorithm": "ppo", "text": "wikitext2", "task": None}}
    ours = {"calibration": {"source": "c4", "tokens": 1}, "search": search, "strategy": found}
    tuned = {"sparsitysolver": ours, "sparsitysolver_recon": ours | {"reconstruction": {"source": "ptb"}}}
    return [cell | tuned.get(cell["method"], {}) for cell in cells]


def test_pairs_tuned_on_different_texts_say_so(built):
    _, pairs = built(sourced(make_grid(("opt-tiny",))))
    assert pairs["SliceGPT", "FLAP"].texts == ""
    assert pairs["FLAP", "SVD-LLM"].texts == "tuned on different texts: wikitext2; c4"
    assert pairs["SVD-LLM", "Ours"].texts == "tuned on different texts: c4; c4 and wikitext2"  # the reward's


def test_pages_and_files_show_what_was_removed_and_the_texts(collected):
    cells = [removing(c, 0.0936, 130_000_000) if c["method"] == "slicegpt" else c for c in sourced(grid_of())]
    cells = replace_cell(cells, text_cell("dense", losses(), calibration=None))
    path = collected(cells)
    table_command("table2", path, ["opt-tiny"], path.parent)
    page = paper_tables(path.parent, "local")
    assert "### What was removed, and tuned on which text" in page
    for text in (page, (path.parent / "table2.md").read_text()):
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
        assert ["SliceGPT", "9.4%, 130 M", "wikitext2"] in lines
        assert [
            "Ours (Recon)",
            "20.0%, 125 M",
            "c4, reconstruction on ptb, reward on wikitext2 (validation)",
        ] in lines
    order = next(line for line in page.splitlines() if line.startswith("| FLAP better than SVD-LLM"))
    assert order.rstrip(" |").endswith("tuned on different texts: wikitext2; c4")
    assert "Not compared for unequal sparsity: 4." in page
    extended = pd.read_csv(path.parent / "table2_extended.csv", dtype=str).set_index("Method")
    assert extended.loc["Ours", "opt-tiny calibration"] == "c4, reward on wikitext2 (validation)"
    assert extended.loc["Dense", "opt-tiny calibration"] == "-"
    tex = (path.parent / "table2_extended.tex").read_text()
    assert "calibration: the texts that each row was tuned on" in tex


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (999, "999"),
        (1000, "1.00 k"),
        (290_736, "291 k"),
        (2_132_352, "2.13 M"),
        (26_515_968, "26.5 M"),
        (6_738_415_616, "6.74 B"),
    ],
)
def test_parameters_are_printed_to_three_digits(count, text):
    assert printed_count(count) == text
