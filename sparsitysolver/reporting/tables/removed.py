"""What every row of a table removed, and on which texts it was tuned: one compact table for the pages."""

from collections.abc import Mapping

import pandas as pd

from sparsitysolver.config.registry import AVERAGE
from sparsitysolver.config.tables import DASH, METHOD
from sparsitysolver.reporting.tables.entries import Entry, printed_count
from sparsitysolver.reporting.tables.tables import MeasuredTable

TUNED_ON = "Tuned on"
CAPTION = "What was removed (share of the prunable weights; parameters left), and the texts that each row was tuned on:"


def removed_frame(table: MeasuredTable) -> pd.DataFrame:
    """A row per method; a column per model and sparsity, such as ``57.8%, 2.53 M``, and the texts.

    The tasks of a table of tasks are one column here; where they differ (one search per task) each is listed.
    """
    columns = [column for column in table.columns if column.task != AVERAGE]
    one_model = len({(column.model, column.sparsity) for column in columns}) == 1
    lines = []
    for row in (row for row in table.definition.all_rows if not row.quantity):
        entries = {column: table.entries[row.name, column.name] for column in columns}
        groups: dict[str, dict[str, str]] = {}
        for column, entry in entries.items():
            group = column.model if one_model else column.name
            groups.setdefault(group, {})[column.name] = _removed(entry)
        tuned = {column.name: entry.tuning.text for column, entry in entries.items() if entry.value is not None}
        lines.append({METHOD: row.name} | {group: _listed(texts) for group, texts in groups.items()})
        lines[-1][TUNED_ON] = _listed(tuned)
    return pd.DataFrame(lines)


def _removed(entry: Entry) -> str:
    parts = [] if entry.achieved_sparsity is None else [f"{entry.achieved_sparsity:.1%}"]
    parts += [] if entry.parameters is None else [printed_count(entry.parameters)]
    return ", ".join(parts) or DASH


def _listed(texts: Mapping[str, str]) -> str:
    """A text that all places share, or each text with its places."""
    places: dict[str, list[str]] = {}
    for place, text in texts.items():
        places.setdefault(text, []).append(place)
    if len(places) < 2:
        return next(iter(places), DASH)
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in places.items())
