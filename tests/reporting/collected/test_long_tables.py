"""Long tables read back: every column of every table, what it must hold, and what is said where it does not."""

import itertools
import math

import pytest
from plot_factory import write
from result_factory import row_of

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records import columns
from sparsitysolver.records.columns import LongTable
from sparsitysolver.reporting.collected.long_tables import read_long

TABLES = {name: table for name, table in vars(columns).items() if isinstance(table, LongTable)}


@pytest.fixture(params=TABLES)
def table(request):
    return TABLES[request.param]


def test_every_column_of_numbers_holds_finite_ones(table, tmp_path):
    """Of two rows the second has something else in one column: the error names its line."""
    texts = ("nan", "inf", "-inf", "1e999", "x", "34,45")
    broken = [*((table.numbers[0], text) for text in texts), *zip(table.numbers, itertools.cycle(texts))]  # noqa: B905
    broken += [(column, "") for column in table.numbers if table.columns[column] == columns.NUMBER]
    for column, text in broken:
        path = write(tmp_path / "t.csv", [row_of(table), row_of(table, **{column: text})])
        words = f"{column} is '{text}'" if text else f"{column} is empty"
        with pytest.raises(SparsitySolverError, match=rf"t\.csv, line 3 \(.*\): {words}; a finite number is needed"):
            read_long(path, table)


def test_what_may_be_empty_is_read_as_nan_and_text_as_it_stands(table, tmp_path):
    frame = read_long(write(tmp_path / "t.csv", [row_of(table) | {"other": 5}]), table)
    for column, holds in table.columns.items():
        value = frame[column].iloc[0]
        assert {columns.TEXT: value == "", columns.NUMBER: value == 1.0, columns.MAYBE: value != value}[holds]
    assert frame["other"].iloc[0] == "5" and list(frame.index) == [2]


def test_every_missing_column_is_named_unless_older_files_lack_it(table, tmp_path):
    for column in table.columns:
        path = write(tmp_path / "t.csv", [{name: value for name, value in row_of(table).items() if name != column}])
        if column in table.later:
            assert math.isnan(read_long(path, table)[column].iloc[0])
            continue
        with pytest.raises(SparsitySolverError, match=rf"t\.csv: column '{column}' is missing; {table.what} have "):
            read_long(path, table)


def test_columns_that_name_a_row_are_columns(table):
    assert {*table.row, *table.later} <= table.columns.keys()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no search curves at .*; make it with 'snakemake results/t.csv'"),
        ("", "column 'key' is missing"),
        ("key,model\na,b,c\n", "line 2: 3 cells, where the header has 2"),
        ('key,model\n"a,b\n', "cannot be read as a table of search curves"),
        (b"\xff\xfe", "cannot be read as a table of search curves"),
    ],
)
def test_a_file_that_is_no_table(content, words, tmp_path):
    path = tmp_path / "t.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SparsitySolverError, match=words):
        read_long(path, columns.CURVES)
