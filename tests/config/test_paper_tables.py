"""Guards against typing errors in the transcribed tables of the paper."""

import math
from pathlib import Path

import pandas as pd
import pytest

PAPER = Path(__file__).parents[2] / "config" / "paper"
ROUNDING = 0.011  # two printed digits, rounded or truncated
MARKS = {
    "Reproduced",
    "Layerwise Sparsity",
    "Searched Sparsity",
    "Weight Update",
    "Additional Parameters",
}
TASK_ITEMS = {
    "boolq": 3270,
    "piqa": 1838,
    "hellaswag": 10042,
    "winogrande": 1267,
    "arc_easy": 2376,
    "arc_challenge": 1172,
    "openbookqa": 500,
}
# (rows, number columns, dashes among them)
SHAPE = {1: (5, 6, 0), 2: (6, 9, 2), 3: (5, 8, 0), 4: (5, 8, 0), 5: (6, 5, 0), 6: (7, 4, 0)}
# Control totals of all printed numbers, so that no later edit passes unseen.
TOTAL = {1: 533.19, 2: 644.09, 3: 2451.84, 4: 1929.59, 5: 454.25, 6: 1001.42}
COST_ROWS = ["Episode", "Episode time (s)"]  # Table 6: not perplexities
# Table 2 prints one pruned model below its dense model; the paper does not comment on it.
BETTER_THAN_DENSE = {(2, "Ours (Recon)", "opt-6.7b", 10.47)}
# Accuracies that no whole number of correct items gives, rounded or truncated: all in the paper's own rows.
NO_WHOLE_NUMBER_OF_ITEMS = {
    (3, "Ours(C4)", "arc_easy"),
    (3, "Ours(C4)", "arc_challenge"),
    (3, "Ours(C4)", "openbookqa"),
    (3, "Ours(Recon)", "winogrande"),
    (3, "Ours(Recon)", "arc_easy"),
    (3, "Ours(Recon)", "arc_challenge"),
    (4, "Ours", "winogrande"),
}


def text(number: int) -> pd.DataFrame:
    """The table as printed, all cells text, one row per method."""
    return pd.read_csv(PAPER / f"table{number}.csv", dtype=str, keep_default_na=False).set_index("Method")


def numbers(number: int) -> pd.DataFrame:
    """The number columns as floats; a printed dash becomes NaN."""
    table = text(number)
    return table.drop(columns=[c for c in table if c in MARKS]).replace("-", "nan").astype(float)


def rows_off_average(table: pd.DataFrame) -> list[str]:
    mean = table[list(TASK_ITEMS)].mean(axis=1)
    return list(table.index[(mean - table["average"]).abs() > ROUNDING])


def cells_below_dense(table: pd.DataFrame) -> set[tuple[str, str, float]]:
    pruned = table.drop(index=["Dense", *COST_ROWS], errors="ignore")
    return {
        (method, column, value)
        for column in pruned
        for method, value in pruned[column].items()
        if value < table.loc["Dense", column]
    }


def is_reachable(percent: float, items: int) -> bool:
    """Whether some whole number of correct items prints as this percentage, rounded or truncated."""
    near = round(percent * items / 100)
    candidates = [100 * k / items for k in range(near - 2, near + 3)]
    return any(
        math.isclose(printed, percent, abs_tol=1e-6)
        for value in candidates
        for printed in (round(value, 2), math.floor(value * 100 + 1e-9) / 100)
    )


@pytest.mark.parametrize("number", SHAPE)
def test_shape_and_marks(number):
    rows, columns, dashes = SHAPE[number]
    table, values = text(number), numbers(number)
    assert values.shape == (rows, columns)
    assert int(values.isna().sum().sum()) == dashes
    assert table.index.is_unique
    assert table.columns[0] == "Reproduced"
    assert set(table["Reproduced"]) == {"yes", "no"}
    for column in MARKS & set(table) - {"Reproduced"}:
        assert table.loc["Dense", column] == "-"
        assert set(table[column].drop("Dense")) <= {"yes", "no"}


@pytest.mark.parametrize("number", SHAPE)
def test_control_totals(number):
    assert numbers(number).sum().sum() == pytest.approx(TOTAL[number], abs=1e-6)


@pytest.mark.parametrize("number", SHAPE)
def test_values_are_finite_and_in_range(number):
    table = numbers(number).drop(index=COST_ROWS, errors="ignore")
    values = [value for column in table for value in table[column].dropna()]
    assert all(math.isfinite(v) and 1 < v < 100 for v in values)


@pytest.mark.parametrize("number", SHAPE)
def test_values_have_two_printed_digits(number):
    table = text(number).drop(index=["Episode"], errors="ignore")
    for column in numbers(number):
        assert table[column].str.fullmatch(r"\d+\.\d\d|-").all(), column


@pytest.mark.parametrize("number", [3, 4])
def test_row_averages_are_the_printed_ones(number):
    assert rows_off_average(numbers(number)) == []


@pytest.mark.parametrize("number", [3, 4])
def test_any_wrong_digit_in_a_row_is_noticed(number):
    table = numbers(number)
    for method in table.index:
        for column in table:
            corrupted = table.copy()
            corrupted.loc[method, column] += 0.2
            assert rows_off_average(corrupted) == [method], (method, column)


@pytest.mark.parametrize("number", [3, 4])
def test_accuracies_are_whole_numbers_of_items_but_for_the_known_cells(number):
    table = numbers(number)
    unreachable = {
        (number, method, task)
        for task, items in TASK_ITEMS.items()
        for method, value in table[task].items()
        if not is_reachable(value, items)
    }
    assert unreachable == {cell for cell in NO_WHOLE_NUMBER_OF_ITEMS if cell[0] == number}


def test_dense_rows_agree_across_tables():
    table2 = numbers(2).loc["Dense"]
    for number in (5, 6):
        dense = numbers(number).loc["Dense"]
        assert dense.to_dict() == table2[dense.index].to_dict()
    assert numbers(3).loc["Dense"].to_dict() == numbers(4).loc["Dense"].to_dict()


def test_dense_perplexity_of_table1_is_the_same_at_every_sparsity():
    dense = numbers(1).loc["Dense"]
    assert {column.split("@")[0]: value for column, value in dense.items()} == {
        "llama-7b": 5.68,
        "llama-13b": 5.09,
    }
    assert dense.groupby(lambda column: column.split("@")[0]).nunique().eq(1).all()


@pytest.mark.parametrize(
    ("row5", "row2"),
    [
        ("SliceGPT", "SliceGPT"),
        ("FLAP", "FLAP"),
        ("Search", "Ours"),
        ("Search + Recon", "Ours (Recon)"),
    ],
)
def test_table5_repeats_rows_of_table2(row5, row2):
    table5, table2 = numbers(5), numbers(2)
    assert table5.loc[row5].to_dict() == table2.loc[row2, table5.columns].to_dict()
    marks = ["Reproduced", "Searched Sparsity", "Weight Update"]
    assert text(5).loc[row5, marks].to_dict() == text(2).loc[row2, marks].to_dict()


@pytest.mark.parametrize("number", [1, 2, 5, 6])
def test_no_pruned_model_beats_its_dense_model_but_for_the_printed_exception(number):
    expected = {cell[1:] for cell in BETTER_THAN_DENSE if cell[0] == number}
    assert cells_below_dense(numbers(number)) == expected


@pytest.mark.parametrize("number", [1, 2, 5, 6])
def test_a_dropped_leading_digit_is_noticed(number):
    corrupted = numbers(number)
    corrupted.iloc[1, 0] /= 10
    assert len(cells_below_dense(corrupted)) == 1 + sum(cell[0] == number for cell in BETTER_THAN_DENSE)


def test_perplexity_of_table1_rises_with_sparsity():
    table = numbers(1).drop(index="Dense")
    for model in ("llama-7b", "llama-13b"):
        low, middle, high = (table[f"{model}@{sparsity}"] for sparsity in ("0.5", "0.6", "0.7"))
        assert (low < middle).all()
        assert (middle < high).all()


def test_more_pruning_costs_more_from_table2_to_table6():
    at30, at20 = numbers(6), numbers(2)
    for method in ("SliceGPT", "FLAP", "Ours", "Ours (Recon)"):
        assert (at30.loc[method] > at20.loc[method, at30.columns]).all(), method
