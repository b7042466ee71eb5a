"""What the arena found, short enough for the README."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from sparsitysolver.config.tables import DASH
from sparsitysolver.records.columns import PARETO, RANKS
from sparsitysolver.reporting.collected.long_tables import read_long
from sparsitysolver.reporting.compare.seed_tests import LEVEL
from sparsitysolver.reporting.formats.markdown import markdown
from sparsitysolver.reporting.studies.arena_ranks import AXES, LINE
from sparsitysolver.reporting.tables.entries import printed

_LEAST = 0.001  # a smaller p is printed as such


def ranks_section(path: Path) -> str:
    """Test perplexity of every search and its difference from the paper's PPO, a column per problem, best first.

    An asterisk marks differences whose corrected p is below the level of the tests.
    """
    frame = read_long(path, RANKS)
    problems = list(frame.groupby(list(AXES), sort=False))
    order = frame.groupby("label", sort=False)["test_ppl"].apply(lambda ppl: float(np.log(ppl).mean())).sort_values()
    rows = []
    for label in order.index:
        row = {"Search": label}
        for (model, granularity, sparsity), group in problems:
            own = group[group["label"] == label]
            row[f"{model}, {granularity} {sparsity:g}"] = _entry(own.iloc[0]) if len(own) else DASH
        rows.append(row)
    seeds, tokens = int(frame["seeds"].max()), int(frame["tokens"].max())
    # A budget is N evaluations of the search's own windows, which is what the reference makes.
    note = (
        f"Mean test perplexity over {seeds} seeds, {tokens:,} evaluated tokens a search; in brackets the difference "
        "from the paper's PPO and the p of a paired t test over seeds, after Holm's correction for all differences of "
        f"the column, with * where it is below {LEVEL:g}. The test windows are the same for all seeds: what other text "
        "would change is not in p. Searches that removed more or less than the paper's PPO are not compared with it."
    )
    return f"{markdown(pd.DataFrame(rows))}\n\n{note}"


def _entry(row: pd.Series) -> str:
    text = printed(None if np.isnan(row["test_ppl"]) else row["test_ppl"])
    if row["status"] == LINE:
        text = f"{text} (no search)"
    if row["not_compared"]:
        return f"{text} [{row['not_compared']}]"
    if np.isnan(row["difference"]):
        return text
    if np.isnan(row["p_holm"]):
        return f"{text} [{row['difference']:+.1f}%]"
    mark = "*" if row["p_holm"] < LEVEL else ""
    return f"{text} [{row['difference']:+.1f}%{mark}, {_p(row['p_holm'])}]"


def _p(value: float) -> str:
    return f"p {value:.3f}" if value >= _LEAST else f"p < {_LEAST:g}"


def pareto_section(path: Path) -> str:
    """Strategies of other sparsities from the surrogate's effects, beside uniform pruning; means over seeds."""
    frame = read_long(path, PARETO)
    keys = ["model", "granularity", "measured_at", "sparsity"]
    means = frame.groupby(keys, sort=False)[["test_ppl", "uniform_test_ppl", "dense_test_ppl"]].mean().reset_index()
    rows = [
        {
            "Model": row["model"],
            "Granularity": row["granularity"],
            "Measured at": f"{row['measured_at']:g}",
            "Sparsity": f"{row['sparsity']:g}",
            "From the effects": printed(row["test_ppl"]),
            "Uniform": printed(row["uniform_test_ppl"]),
            "Dense": printed(row["dense_test_ppl"]),
        }
        for _, row in means.iterrows()
    ]
    return f"{markdown(pd.DataFrame(rows))}\n\nTest perplexity, means over {frame['seed'].nunique()} seeds."


ARENA_SECTIONS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "arena": ("arena_ranks.csv", ranks_section),
    "pareto": ("arena_pareto.csv", pareto_section),
}
