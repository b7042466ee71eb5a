"""The command line that every ``figures/figureN.py`` has, and the files it writes: the same bytes for the same data."""

import argparse
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from sparsitysolver.config.figures import FigureDefinition, load_figure
from sparsitysolver.errors import SparsitySolverError, report_error
from sparsitysolver.records.files import atomic_path, write_text
from sparsitysolver.reporting.plots.contracts import models_of, read_results
from sparsitysolver.reporting.plots.style import style_sheet

Data = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Picture:
    """A drawn figure, and what its caption says of the very data, by the caption's word in braces."""

    figure: Figure
    facts: Mapping[str, str] = field(default_factory=dict)


Draw = Callable[[Data, FigureDefinition], Picture]


def main(name: str, draw: Draw, argv: Sequence[str] | None = None) -> int:
    """Draw a figure from a folder of results; returns the exit status, 2 with one line for a user's mistake."""
    parser = argparse.ArgumentParser(prog=name, description="Draw a figure as PNG and PDF from collected results.")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of results (default: results)")
    parser.add_argument("--out", type=Path, default=Path("figures") / name, help="files to write, without ending")
    args = parser.parse_args(argv)
    try:
        caption = write_figure(name, draw, args.results, args.out)
    except SparsitySolverError as error:
        return report_error(name, error)
    print(f"{args.out}.png, {args.out}.pdf: {caption}")
    return 0


def write_figure(name: str, draw: Draw, results: Path, out: Path) -> str:
    """Write ``out.png`` and ``out.pdf``, both or none unless the disk fails in between; returns the caption.

    Title and caption stand in the files' metadata, and the caption in ``out.txt`` for pages that show the picture.

    Raises:
        SparsitySolverError: see :func:`load_figure` and :func:`read_results`, or the data cannot be drawn.
    """
    definition = load_figure(name)
    data = {kind: read_results(results / f"{kind}_{name}.csv", kind) for kind in definition.kinds}
    with style_sheet():
        picture = draw(data, definition)
        caption = definition.filled_caption(_facts(data) | dict(picture.facts))
        files = {ending: _bytes(picture.figure, ending, definition.title, caption) for ending in ("png", "pdf")}
    for ending, content in files.items():
        with atomic_path(f"{out}.{ending}") as temporary:
            temporary.write_bytes(content)
    write_text(f"{out}.txt", f"{caption}\n")
    return caption


def _facts(data: Data) -> dict[str, str]:
    """What captions of all figures may say: the models, and what a line is over how many seeds."""
    counts = [
        int(frame.groupby(["model", *({"method"} & set(frame))])["seed"].nunique().max()) for frame in data.values()
    ]
    models = models_of(pd.concat([frame[["model"]] for frame in data.values()]))
    several = f"means over up to {max(counts)} seeds, with bands from the lowest to the highest"
    return {"models": ", ".join(models), "seeds": "those of a single seed" if max(counts) == 1 else several}


def _bytes(figure: Figure, ending: str, title: str, caption: str) -> bytes:
    """A figure as a file without dates."""
    metadata = {
        "png": {"Title": title, "Description": caption},
        "pdf": {"Title": title, "Subject": caption, "CreationDate": None},
    }
    buffer = io.BytesIO()
    figure.savefig(buffer, format=ending, metadata=metadata[ending])
    return buffer.getvalue()
