"""Is a cell comparable with a published value: pages and regression ask the same function and say the same."""

from dataclasses import replace

import pandas as pd
import pytest
from cell_factory import make_cell, make_grid, replace_cell

from sparsitysolver.config.tables import load_definition
from sparsitysolver.reporting.collected.collect import read_cells_csv
from sparsitysolver.reporting.compare.comparability import Measurement, other_protocol, published_evaluations
from sparsitysolver.reporting.compare.verdicts import Verdict
from sparsitysolver.reporting.pages.paper_tables import paper_tables
from sparsitysolver.reporting.regression.check import regression_command
from sparsitysolver.reporting.tables.files import table_command
from sparsitysolver.reporting.tables.judged import not_comparable, verdict_of
from sparsitysolver.reporting.tables.tables import build_table

SEARCH = {"algorithm": "ppo", "evaluations": 150, "tokens": 1000, "episodes": 150, "reward_split": "validation"}
WORD_LEVEL = "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0"
SHORT = "a search of 150 evaluations instead of 3000"
WORDS = "not WikiText-2 raw test (295878 tokens instead of 287645): the word-level file of its test split with <unk>"


@pytest.fixture
def both(collected, tmp_path):
    """What the page's verdicts and the regression check say of the rows of one grid, by method."""

    def judge(cells):
        path = collected(cells)
        table = build_table("table2", read_cells_csv(path), ["opt-125m"])
        rows = {row.method: row.name for row in table.definition.rows}
        page = {
            method: (verdict_of(table, name, "opt-125m"), not_comparable(table, name, "opt-125m"))
            for method, name in rows.items()
        }
        out = tmp_path / "regression.csv"
        regression_command(path, None, "opt125m", out, (), ())
        frame = pd.read_csv(out, dtype=str, keep_default_na=False).set_index("method")
        checked = frame.loc[list(rows), ["published_verdict", "published_detail"]].apply(tuple, axis=1).to_dict()
        return page, checked

    return judge


def test_a_short_search_is_not_comparable_for_both(both):
    cells = make_grid()
    for method, evaluations in (("sparsitysolver", 150), ("sparsitysolver_recon", 3000)):
        value = {"sparsitysolver": 31.44, "sparsitysolver_recon": 30.67}[method]
        cells = replace_cell(cells, make_cell(method=method, value=value, search=SEARCH | {"evaluations": evaluations}))
    page, checked = both(cells)
    assert page["sparsitysolver"] == (Verdict.NOT_COMPARABLE, SHORT)
    assert checked["sparsitysolver"] == ("not comparable", f"table2: {SHORT}")
    assert page["sparsitysolver_recon"] == (Verdict.HOLDS, "") and checked["sparsitysolver_recon"][0] == "ok"
    assert page["flap"] == (Verdict.HOLDS, "") and checked["flap"][0] == "ok"


def test_the_shortest_search_of_several_seeds_counts(collected):
    cells = make_grid()
    cells = replace_cell(cells, make_cell(method="sparsitysolver", value=31.44, search=SEARCH | {"evaluations": 3000}))
    cells.append(make_cell(method="sparsitysolver", value=31.44, seed=1, search=SEARCH))
    table = build_table("table2", read_cells_csv(collected(cells)), ["opt-125m"])
    assert not_comparable(table, "Ours", "opt-125m") == SHORT


def test_another_text_is_not_comparable_for_both(both):
    """The same digits on the word-level file: no verdict as if it were the paper's text."""
    page, checked = both(make_grid(fingerprint={"text_sha256": WORD_LEVEL, "tokens": 295878, "windows": 144}))
    assert set(page.values()) == {(Verdict.NOT_COMPARABLE, WORDS)}
    assert set(checked.values()) == {("not comparable", f"table2: {WORDS}")}


def test_the_page_says_why(collected):
    path = collected(make_grid(fingerprint={"text_sha256": WORD_LEVEL, "tokens": 295878, "windows": 144}))
    table_command("table2", path, ["opt-125m"], path.parent)
    page = paper_tables(path.parent, "local")
    assert "Published values of these columns: 0 reproduced, 0 deviates, 6 not comparable" in page
    assert f"- opt-125m: not the published protocol: {WORDS}." in page


def test_windows_models_items_and_splits_are_the_published_ones():
    tables = {name: load_definition(name).protocol for name in ("table2", "table3")}
    text = {"text_sha256": make_cell()["fingerprint"]["text_sha256"]}
    measured = Measurement("flap", "opt-125m", ("wikitext2",), "test", seqlen=2048, **text)
    assert other_protocol(measured, tables["table2"]) == ""
    assert other_protocol(Measurement("flap", "opt-125m", ("mini",), "test", 128), tables["table2"]) == (
        "task mini instead of wikitext2, seqlen 128 instead of 2048"
    )
    words = "a BOS before every window instead of at most once, at the head of the text"
    assert other_protocol(replace(measured, bos="every"), tables["table2"]) == words
    assert other_protocol(replace(measured, bos="every"), {**tables["table2"], "bos": "every"}) == ""
    assert other_protocol(replace(measured, bos="tokenizer"), tables["table2"]) == ""
    tasks = Measurement("flap", "llama-13b", ("boolq", "piqa"), "report", items=100)
    assert other_protocol(tasks, tables["table3"]) == (
        "model llama-13b instead of llama-7b, items 100 of 5108 instead of all"
    )


def test_every_searched_row_of_the_paper_has_a_published_length():
    searched = {
        row.method
        for name in ("table1", "table2", "table3", "table4", "table5", "table6")
        for row in load_definition(name).rows
        if row.method.startswith("sparsitysolver")
    }
    assert searched == set(published_evaluations())


def test_what_a_run_changed_is_named_and_part_of_the_windows_is_not_comparable(collected):
    path = collected(make_grid(fingerprint={"windows": 4}))
    table_command("table2", path, ["opt-125m"], path.parent, settings=["windows=4", "nsamples=8"])
    page = paper_tables(path.parent, "local")
    assert "settings of the run: windows=4, nsamples=8" in page
    assert "- opt-125m: not the published protocol: 4 of 140 windows." in page
    assert "No published column applies" not in page
