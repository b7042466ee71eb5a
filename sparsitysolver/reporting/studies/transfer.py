"""``transfer.csv``: every model under the strategies of all, a row per pair; and the same as a matrix in Markdown."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
_DECIMALS = 3  # of ratios


def transfer_command(records: Sequence[Path], out: Path) -> None:
    """``report transfer``: records of ``study transfer`` to a long table, and to a matrix beside it.

    Raises:
        SparsitySolverError: no valid record, one model twice, or records of several sparsities, texts or splits.
    """
    studies = [(path, read_finite(path, "transfer")) for path in dict.fromkeys(records)]
    _check_alike(studies)
    rows = [row for path, record in studies for row in _rows(path, record)]
    refuse_duplicates(rows, ("model", "strategy"), "transfer")
    write_rows(out, TRANSFER.columns, rows)
    write_text(out.with_suffix(".md"), _page([record for _, record in studies], rows))


def _check_alike(studies: Sequence[tuple[Path, Json]]) -> None:
    def protocol(record: Json) -> tuple[str | float, ...]:
        return record["sparsity"], record["fingerprint"]["dataset"], record["fingerprint"]["split"]

    first_path, first = studies[0]
    for path, record in studies[1:]:
        if protocol(record) != protocol(first):
            raise SparsitySolverError(
                f"{path} is of (sparsity, text, split) {protocol(record)}, and {first_path} of {protocol(first)}; one "
                "matrix takes records of one."
            )


def _rows(path: Path, record: Json) -> Iterator[Json]:
    """A row for every candidate; ratios to the model's own strategy, paired over windows, with 95% intervals.

    A candidate that removed something else than the own strategy has no ratio, and ``not_compared`` says why.
    """
    own = next((score for score in record["scores"] if score["kind"] == OWN), None)
    if own is None:
        raise SparsitySolverError(f"{path}: {record['model']['name']} has no score under a strategy of its own.")
    for score in record["scores"]:
        shared = {name: score[name] for name in ("strategy", "kind", "achieved_sparsity")}
        shared |= {"model": record["model"]["name"], "sparsity": record["sparsity"], "key": path.stem}
        shared |= {"windows": score["ppl"]["n"], "split": record["fingerprint"]["split"]}
        measured = {"ppl": score["ppl"]["value"], "stderr": score["ppl"]["stderr"]}
        reason = unequal(*(Removed(one["achieved_sparsity"], None) for one in (score, own)))
        ratio = (None, None, None) if reason else _ratio(record, score, own)
        yield shared | measured | {"not_compared": reason} | dict(zip(RATIO, ratio, strict=True))


def _ratio(record: Json, score: Json, own: Json) -> tuple[float | None, float | None, float | None]:
    """Perplexity over that of the own strategy, and the interval that the windows give it; None where either lacks."""
    if score["ppl"]["value"] is None or own["ppl"]["value"] is None:
        return None, None, None
    ratio = score["ppl"]["value"] / own["ppl"]["value"]
    differences = paired(*({0: np.array(one["windows"])} for one in (score, own)))  # of one seed
    if differences.size < 2:
        return ratio, None, None
    low, high = difference_interval([differences])
    return ratio, float(np.exp(low)), float(np.exp(high))


def _page(records: Sequence[Json], rows: Sequence[Json]) -> str:
    first = records[0]
    text, split = first["fingerprint"]["dataset"], first["fingerprint"]["split"]
    entries = {(row["model"], row["strategy"]): row for row in rows}
    models = [record["model"]["name"] for record in records]
    found_on = list(dict.fromkeys([*models, *(r["strategy"] for r in rows if r["kind"] not in (UNIFORM, DENSE))]))
    return "\n".join(
        (
            f"# Transfer of strategies at sparsity {first['sparsity']}",
            "",
            "A row is the model that is pruned (by slicing, without repair), a column the model that the strategy was "
            f"found on. Perplexity on the {split} split of {text}.",
            "",
            markdown(_matrix(entries, models, found_on, _perplexity)),
            "",
            "The same as a ratio to the model's own strategy, with the 95% interval that the windows give it. Below 1 "
            "the other strategy is better. Strategies that removed more or less than the own one are not compared.",
            "",
            markdown(_matrix(entries, models, found_on, _relative).drop(columns="Dense")),
            "",
        )
    )


def _matrix(
    entries: Mapping[tuple[str, str], Json], models: Sequence[str], found_on: Sequence[str], text: Callable[..., str]
) -> pd.DataFrame:
    heads = {**{name: name for name in found_on}, UNIFORM: "Uniform", DENSE: "Dense"}
    lines = [
        {"Model": model} | {head: text(entries.get((model, name))) for name, head in heads.items()} for model in models
    ]
    return pd.DataFrame(lines)


def _perplexity(row: Json | None) -> str:
    return DASH if row is None else printed(row["ppl"])


def _relative(row: Json | None) -> str:
    if row is None:
        return DASH
    if row["ratio_to_own"] is None:
        return row["not_compared"] or DASH
    ratio, low, high = (printed(row[name], _DECIMALS) for name in RATIO)
    return ratio if row["ratio_low"] is None or row["kind"] == OWN else f"{ratio} [{low}, {high}]"
