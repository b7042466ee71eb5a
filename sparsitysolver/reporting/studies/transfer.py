"""``transfer.csv``: every model under the strategies of all, a row per pair; and the same as a matrix in Markdown."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sparsitysolver.config.tables import DASH
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import TRANSFER
from sparsitysolver.records.files import Json, write_text
from sparsitysolver.reporting.collected.long_tables import read_finite, refuse_duplicates, write_rows
from sparsitysolver.reporting.compare.comparability import Removed, unequal
from sparsitysolver.reporting.compare.intervals import difference_interval
from sparsitysolver.reporting.compare.verdicts import paired
from sparsitysolver.reporting.formats import markdown
from sparsitysolver.reporting.tables.entries import printed

RATIO = ("ratio_to_own", "ratio_low", "ratio_high")
OWN, UNIFORM, DENSE = "own", "uniform", "dense"
_PAGE = """\
# Transfer of strategies at sparsity {sparsity}

A row is the model that is pruned (by slicing, without repair), a column the model that the strategy was found on. \
Perplexity on the {split} split of {text}.

{ppl}

The same as a ratio to the model's own strategy, with the 95% interval that the windows give it. Below 1 the other \
strategy is better. Strategies that removed more or less than the own one are not compared.

{ratio}
"""


def transfer_command(records: Sequence[Path], out: Path) -> None:
    """``report transfer``: records of ``study transfer`` to a long table, and to a matrix beside it.

    Raises:
        SparsitySolverError: no valid record, one model twice, or records of several sparsities, texts or splits.
    """
    studies = {path: read_finite(path, "transfer") for path in records}
    protocols = {path: _protocol(record) for path, record in studies.items()}
    first_path, first = next(iter(protocols.items()))
    for path, protocol in protocols.items():
        if protocol != first:
            raise SparsitySolverError(
                f"{path} is of (sparsity, text, split) {protocol}, and {first_path} of {first}; one matrix takes "
                "records of one."
            )
    rows = [row for path, record in studies.items() for row in _rows(path, record)]
    refuse_duplicates(rows, ("model", "strategy"), "transfer")
    write_rows(out, TRANSFER.columns, rows)
    sparsity, text, split = first
    ppl, ratio = (_matrix(rows, entry) for entry in (lambda row: printed(row["ppl"]), _relative))
    tables = {"ppl": markdown(ppl), "ratio": markdown(ratio.drop(columns="Dense"))}
    write_text(out.with_suffix(".md"), _PAGE.format(sparsity=sparsity, text=text, split=split, **tables))


def _protocol(record: Json) -> tuple[str | float, ...]:
    return record["sparsity"], record["fingerprint"]["dataset"], record["fingerprint"]["split"]


def _rows(path: Path, record: Json) -> Iterator[Json]:
    """A row for every candidate; ratios to the model's own strategy, paired over windows, with 95% intervals.

    A candidate that removed something else than the own strategy has no ratio, and ``not_compared`` says why.
    """
    own = next((score for score in record["scores"] if score["kind"] == OWN), None)
    if own is None:
        raise SparsitySolverError(f"{path}: {record['model']['name']} has no score under a strategy of its own.")
    for score in record["scores"]:
        reason = unequal(*(Removed(one["achieved_sparsity"], None) for one in (score, own)))
        row = {name: score[name] for name in ("strategy", "kind", "achieved_sparsity")}
        row |= {"model": record["model"]["name"], "sparsity": record["sparsity"], "key": path.stem}
        row |= {"windows": score["ppl"]["n"], "split": record["fingerprint"]["split"]}
        row |= {"ppl": score["ppl"]["value"], "stderr": score["ppl"]["stderr"], "not_compared": reason}
        yield row | dict(zip(RATIO, (None, None, None) if reason else _ratio(score, own), strict=True))


def _ratio(score: Json, own: Json) -> tuple[float | None, float | None, float | None]:
    """Perplexity over that of the own strategy, and the interval that the windows give it; None where either lacks."""
    if score["ppl"]["value"] is None or own["ppl"]["value"] is None:
        return None, None, None
    ratio = score["ppl"]["value"] / own["ppl"]["value"]
    differences = paired(*({0: np.array(one["windows"])} for one in (score, own)))  # of one seed
    if differences.size < 2:
        return ratio, None, None
    low, high = difference_interval([differences])
    return ratio, float(np.exp(low)), float(np.exp(high))


def _matrix(rows: Sequence[Json], entry: Callable[[Json], str]) -> pd.DataFrame:
    """Entries by model and by the model that the strategy was found on; a dash where there is none."""
    strategies = [row["strategy"] for row in rows if row["kind"] not in (UNIFORM, DENSE)]
    found_on = dict.fromkeys([*(row["model"] for row in rows), *strategies])
    texts = pd.DataFrame([{"Model": row["model"], "on": row["strategy"], "text": entry(row)} for row in rows])
    matrix = texts.pivot_table(index="Model", columns="on", values="text", aggfunc="first", sort=False)
    matrix = matrix.reindex(columns=[*found_on, UNIFORM, DENSE]).fillna(DASH)
    return matrix.rename(columns={UNIFORM: "Uniform", DENSE: "Dense"}).reset_index()


def _relative(row: Json) -> str:
    if row["ratio_to_own"] is None:
        return row["not_compared"] or DASH
    ratio, low, high = (printed(row[name], 3) for name in RATIO)
    return ratio if row["ratio_low"] is None or row["kind"] == OWN else f"{ratio} [{low}, {high}]"
