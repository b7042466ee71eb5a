"""Long tables of the results folder, read back with their columns and numbers checked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sparsitysolver.errors import SparsitySolverError


def read_frame(
    path: Path, columns: Sequence[str], numbers: Sequence[str], optional: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a long table: ``numbers`` as floats, everything else as text.

    Args:
        path: the CSV file.
        columns: columns that must be there.
        numbers: those of them that hold numbers.
        optional: numbers that may be empty (NaN).

    Raises:
        SparsitySolverError: no such file, a missing column, or a number that is none or not finite; the message names
            file, line and column.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no file {path}; make it with 'snakemake --cores 2 {path}'.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise SparsitySolverError(f"{path} is not a table: {error}.") from error
    missing = [column for column in columns if column not in frame]
    if missing:
        raise SparsitySolverError(f"{path}: column '{missing[0]}' is missing; collect again.")
    values = {column: pd.to_numeric(frame[column], errors="coerce") for column in numbers}
    for column, numeric in values.items():
        wrong = ~np.isfinite(numeric) & ~((frame[column] == "") & (column in optional))
        if wrong.any():
            line = int(wrong.idxmax())
            raise SparsitySolverError(
                f"{path}, line {line + 2}: {column} is '{frame[column][line]}'; a finite number is needed."
            )
    return frame.assign(**values)
