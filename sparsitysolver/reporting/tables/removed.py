"""What every row of a table removed, and on which texts it was tuned: one compact table for the pages."""

from collections.abc import Mapping, Sequence

import pandas as pd

from sparsitysolver.config.registry import AVERAGE
from sparsitysolver.config.tables import DASH, METHOD, Row
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
    groups: dict[str, list[str]] = {}
    for column in columns:
        groups.setdefault(column.model if one_model else column.name, []).append(column.name)
    return pd.DataFrame(_line(table, row, groups) for row in table.definition.all_rows if not row.quantity)


def _line(table: MeasuredTable, row: Row, groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    entries = {name: table.entries[row.name, name] for names in groups.values() for name in names}
    removed = {group: _listed({name: _removed(entries[name]) for name in names}) for group, names in groups.items()}
    tuned = {name: entry.tuning.text for name, entry in entries.items() if entry.value is not None}
    return {METHOD: row.name, **removed, TUNED_ON: _listed(tuned)}


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
