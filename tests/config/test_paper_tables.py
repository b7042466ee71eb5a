"""Guards against typing errors in the transcribed tables; their arithmetic is checked by the audit and its tests."""

import pandas as pd
import pytest

from sparsitysolver import CONFIG
from sparsitysolver.reporting.audit.checks import FLAG
from sparsitysolver.reporting.audit.table import audit

MARKS = {"Reproduced", "Layerwise Sparsity", "Searched Sparsity", "Weight Update", "Additional Parameters"}
# Rows, number columns, dashes among them; the total of all printed numbers, so that no later edit passes unseen.
PRINTED = {
    1: (5, 6, 0, 533.19),
    2: (6, 9, 2, 644.09),
    3: (5, 8, 0, 2451.84),
    4: (5, 8, 0, 1929.59),
    5: (6, 5, 0, 454.25),
    6: (7, 4, 0, 1001.42),
}
COST_ROWS = ["Episode", "Episode time (s)"]  # Table 6: not perplexities


def text(number: int) -> pd.DataFrame:
    """The table as printed, all cells text, one row per method."""
    path = CONFIG / "paper" / f"table{number}.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False).set_index("Method")


def numbers(number: int) -> pd.DataFrame:
    """The number columns as floats; a printed dash becomes NaN."""
    table = text(number)
    return table.drop(columns=MARKS & set(table)).replace("-", "nan").astype(float)


@pytest.mark.parametrize("number", PRINTED)
def test_printed_numbers(number):
    table, values = text(number), numbers(number)
    rows, columns, dashes, total = PRINTED[number]
    assert (*values.shape, int(values.isna().sum().sum())) == (rows, columns, dashes)
    assert values.sum().sum() == pytest.approx(total, abs=1e-6)
    measures = values.drop(index=COST_ROWS, errors="ignore")
    assert ((measures > 1) & (measures < 100) | measures.isna()).all(axis=None)
    for column in values:
        assert table[column].drop("Episode", errors="ignore").str.fullmatch(r"\d+\.\d\d|-").all(), column


@pytest.mark.parametrize("number", PRINTED)
def test_marks(number):
    table = text(number)
    assert table.index.is_unique and table.columns[0] == "Reproduced"
    assert set(table["Reproduced"]) == {"yes", "no"}
    for column in MARKS & set(table) - {"Reproduced"}:
        assert table.loc["Dense", column] == "-"
        assert set(table[column].drop("Dense")) <= {"yes", "no"}


def test_dense_rows_agree_across_tables():
    table2 = numbers(2).loc["Dense"]
    for number in (5, 6):
        dense = numbers(number).loc["Dense"]
        assert dense.to_dict() == table2[dense.index].to_dict()
    assert numbers(3).loc["Dense"].to_dict() == numbers(4).loc["Dense"].to_dict()
    by_sparsity = {f"{m}@{p}": ppl for m, ppl in (("llama-7b", 5.68), ("llama-13b", 5.09)) for p in (0.5, 0.6, 0.7)}
    assert numbers(1).loc["Dense"].to_dict() == by_sparsity


@pytest.mark.parametrize(
    ("row5", "row2"),
    [("SliceGPT", "SliceGPT"), ("FLAP", "FLAP"), ("Search", "Ours"), ("Search + Recon", "Ours (Recon)")],
)
def test_table5_repeats_rows_of_table2(row5, row2):
    table5, table2 = numbers(5), numbers(2)
    assert table5.loc[row5].to_dict() == table2.loc[row2, table5.columns].to_dict()
    marks = ["Reproduced", "Searched Sparsity", "Weight Update"]
    assert text(5).loc[row5, marks].to_dict() == text(2).loc[row2, marks].to_dict()


def test_more_pruning_costs_more_within_table1_and_from_table2_to_table6():
    table1 = numbers(1).drop(index="Dense")
    for model in ("llama-7b", "llama-13b"):
        assert (table1[[f"{model}@{p}" for p in (0.5, 0.6, 0.7)]].diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
    pruned, at20 = ["SliceGPT", "FLAP", "Ours", "Ours (Recon)"], numbers(2)
    at30 = numbers(6).loc[pruned]
    assert (at30 > at20.loc[pruned, at30.columns]).all(axis=None)


# --- a wrong digit is noticed ---------------------------------------------------------------------------------------


def flags(table: pd.DataFrame, check: str, path) -> set[tuple[str, str]]:
    """Method and column of what the audit flags in a table as printed."""
    table.to_csv(path)
    lines = audit(path)
    return {(line.method, line.column) for line in lines if (line.check, line.verdict) == (check, FLAG)}


@pytest.mark.parametrize("number", [3, 4])
def test_a_wrong_digit_in_any_row_of_accuracies_is_noticed(number, tmp_path):
    table = text(number)
    assert flags(table, "average", tmp_path / "table.csv") == set()
    for method in table.index:
        for column in numbers(number):
            corrupted = table.copy()
            corrupted.loc[method, column] = f"{float(table.loc[method, column]) + 0.2:.2f}"
            assert flags(corrupted, "average", tmp_path / "table.csv") == {(method, "average")}, (method, column)


@pytest.mark.parametrize("number", [1, 2, 5, 6])
def test_a_dropped_leading_digit_of_a_perplexity_is_noticed(number, tmp_path):
    table, column = text(number), numbers(number).columns[0]
    printed = flags(table, "better_than_dense", tmp_path / "table.csv")
    assert printed == ({("Ours (Recon)", "opt-6.7b")} if number == 2 else set())
    method = table.index[1]
    table.loc[method, column] = f"{float(table.loc[method, column]) / 10:.2f}"
    assert flags(table, "better_than_dense", tmp_path / "table.csv") == printed | {(method, column)}
