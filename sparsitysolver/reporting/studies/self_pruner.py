"""``self_pruner.csv``: accuracy lost and speed gained at Self-Pruner's two published compressions (no torch)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from sparsitysolver.config.registry import method, tasks_table
from sparsitysolver.config.self_pruner import Compression, definition
from sparsitysolver.config.tables import DASH
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import CELLS, SELF_PRUNER
from sparsitysolver.records.files import Json, write_text
from sparsitysolver.reporting.collected.gather import measured_rows
from sparsitysolver.reporting.collected.long_tables import read_finite, read_long, write_rows
from sparsitysolver.reporting.collected.samples import Samples, read_samples, sample_key
from sparsitysolver.reporting.compare.comparability import Removed, unequal_to_any
from sparsitysolver.reporting.compare.verdicts import Verdict, compare, paired
from sparsitysolver.reporting.formats import markdown
from sparsitysolver.reporting.tables.entries import printed, printed_count

DENSE, NOT_RUN, RAN = "dense", str(Verdict.NOT_RUN), "ran"


def self_pruner_command(cells: Path, inference: Path, out: Path) -> None:
    """``report self-pruner``: from collected cells and a record of ``bench inference`` to CSV and Markdown.

    Accuracy is the mean over tasks by each task's own metric; the interval of its fall is over the items of every
    task, of one seed. Speed is that of generation, token by token.

    Raises:
        SparsitySolverError: a missing file, or rows of different tasks.
    """
    frame, samples = read_long(cells, CELLS), read_samples(cells.with_suffix(".samples.npz"))
    frame = frame[frame["metric"] == frame["task"].map({key: row.metric for key, row in tasks_table().items()})]
    times = {(row["method"], float(row["sparsity"])): row for row in measured_rows(read_finite(inference, "inference"))}
    rows = [
        _row(key, published, frame, samples, times)
        for key in definition().methods
        for published in definition().published
    ]
    for row in rows:  # why it may not be compared with the others of its sparsity
        others = (other for other in rows if other is not row and other["sparsity"] == row["sparsity"])
        row["comparison"] = unequal_to_any(_removed(row), map(_removed, others))
    write_rows(out, SELF_PRUNER.columns, rows)
    write_text(out.with_suffix(".md"), _page(rows))


def _removed(row: Json) -> Removed:
    return Removed(row.get("achieved_sparsity"), row.get("parameters"), row["method"])


def _row(key: str, published: Compression, frame: pd.DataFrame, samples: Samples, times: Mapping[tuple, Json]) -> Json:
    row: Json = {"method": key, "label": method(key).label, "sparsity": published.sparsity}
    row |= {"published_model": published.of, "published_left": published.left}
    row |= {"published_drop": published.drop, "published_speedup": published.speedup}
    sparsity = float(published.sparsity)
    chosen = frame[(frame["method"] == key) & (frame["sparsity"] == sparsity)]
    if chosen.empty:
        return row | {"status": NOT_RUN, "verdict": NOT_RUN}
    row |= {"status": RAN, "model": chosen["model"].iloc[0], "verdict": str(Verdict.NOT_COMPARABLE)}  # of another model
    row |= {name: float(chosen[name].mean()) for name in ("achieved_sparsity", "parameters")}
    row |= _accuracy(chosen, frame[frame["method"] == DENSE], samples, key)
    if (key, sparsity) not in times:
        raise SparsitySolverError(f"no times of '{key}' at sparsity {sparsity}; measure it with bench inference.")
    return row | {f"speedup{end}": times[key, sparsity][f"decode_speedup{end}"] for end in ("", "_low", "_high")}


def _accuracy(chosen: pd.DataFrame, dense: pd.DataFrame, samples: Samples, key: str) -> Json:
    """Mean accuracy of both in percent, and the fall in points and in percent of the dense accuracy."""
    tasks = list(dense["task"])
    if sorted(tasks) != sorted(chosen["task"]):
        raise SparsitySolverError(
            f"'{key}' was evaluated on {', '.join(chosen['task'])}, the dense model on "
            f"{', '.join(tasks)}; both need the same tasks."
        )
    after, before = ([_items(one.set_index("task").loc[task], samples) for task in tasks] for one in (chosen, dense))
    rise = compare(dict(zip(tasks, map(paired, after, before), strict=True)), "acc")
    accuracy, of_dense = (100 * float(one["value"].mean()) for one in (chosen, dense))
    fall = of_dense - accuracy
    measured = {"tasks": len(tasks), "accuracy": accuracy, "dense_accuracy": of_dense}
    return measured | {"drop_points": fall, "low": -rise.high, "high": -rise.low, "drop_percent": 100 * fall / of_dense}


def _items(row: pd.Series, samples: Samples) -> dict[int, np.ndarray]:
    """Correctness of every item, by seed: one."""
    found = samples.get(sample_key(row["cell"], row["metric"]))
    if found is None:
        raise SparsitySolverError(f"cell {row['cell']} ({row['method']}) has no samples; evaluate and collect again.")
    return {0: found.astype(float)}


def _page(rows: list[Json]) -> str:
    """The rows as Markdown."""
    measured = next((row for row in rows if row["status"] == RAN), {"model": DASH, "dense_accuracy": None})
    of = f"{rows[0]['published_model']}, {', '.join(row['published_left'] for row in rows[:2])} left"
    dense = printed(measured["dense_accuracy"])
    about = f"Model: {measured['model']} (dense: {dense}% on average). Published: {of}, on an A100."
    notes = [f"- {row['label']} at {row['sparsity']}: {row['comparison']}.\n" for row in rows if row["comparison"]]
    return f"{markdown(pd.DataFrame([*map(_line, rows)]))}\n\n{about}\n" + "".join(["\n", *notes] if notes else [])


def _line(row: Json) -> dict[str, str]:
    own, ran = {name: printed(value) for name, value in row.items() if isinstance(value, float)}, row["status"] == RAN
    return {
        "Method": row["label"],
        "Sparsity": row["sparsity"],
        "Removed": f"{row['achieved_sparsity']:.1%}, {printed_count(row['parameters'])}" if ran else DASH,
        "Fall of accuracy (points)": f"{own['drop_points']} [{own['low']}, {own['high']}]" if ran else DASH,
        "In percent": own.get("drop_percent", DASH),
        "Published (percent)": own["published_drop"],
        "Speed-up": f"{own['speedup']} [{own['speedup_low']}, {own['speedup_high']}]" if ran else DASH,
        "Published": own["published_speedup"],
        "Verdict": row["verdict"],
    }
