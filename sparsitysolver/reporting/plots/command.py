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
from sparsitysolver.reporting.plots import style
from sparsitysolver.reporting.plots.rows import by_model, read_results

Data = Mapping[str, pd.DataFrame]  # by kind of results, read from KIND_FIGURE.csv


@dataclass(frozen=True)
class Picture:
    """A drawn figure, and what its caption says of the very data, by the caption's word in braces."""

    figure: Figure
    facts: dict[str, str] = field(default_factory=dict)


Draw = Callable[[Data, FigureDefinition], Picture]


def main(name: str, draw: Draw, argv: Sequence[str] | None = None) -> int:
    """Draw a figure from a folder of results: ``out.png`` and ``out.pdf``, both or none unless the disk fails between.

    Title and caption stand in the files' metadata, and the caption in ``out.txt`` for pages that show the picture.
    Returns the exit status, 2 with one line for a user's mistake.
    """
    parser = argparse.ArgumentParser(prog=name, description="Draw a figure as PNG and PDF from collected results.")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of results (default: results)")
    parser.add_argument("--out", type=Path, default=Path("figures") / name, help="files to write, without ending")
    args, files = parser.parse_args(argv), {"png": io.BytesIO(), "pdf": io.BytesIO()}
    try:
        definition = load_figure(name)
        data = read_data(definition, args.results)
        with style.style_sheet():
            picture = draw(data, definition)
            caption = definition.filled_caption(_facts(definition, data) | picture.facts)
            said = {"png": {"Description": caption}, "pdf": {"Subject": caption, "CreationDate": None}}  # without dates
            for ending, file in files.items():
                picture.figure.savefig(file, format=ending, metadata={"Title": definition.title} | said[ending])
        for ending, file in files.items():
            with atomic_path(f"{args.out}.{ending}") as temporary:
                temporary.write_bytes(file.getvalue())
        write_text(f"{args.out}.txt", f"{caption}\n")
    except SparsitySolverError as error:
        return report_error(name, error)
    print(f"{args.out}.png, {args.out}.pdf: {caption}")
    return 0


def read_data(definition: FigureDefinition, results: Path) -> Data:
    """What a figure is drawn from."""
    return {kind: read_results(results / f"{kind}_{definition.name}.csv", kind) for kind in definition.kinds}


def _facts(definition: FigureDefinition, data: Data) -> dict[str, str]:
    """What captions of all figures may say: sparsities chosen, the models, and what a line is over how many seeds."""
    chosen = {"sparsity": definition.sparsity, "seeds_sparsity": definition.seeds_sparsity}
    facts = {key: f"{sparsity:.0%}" for key, sparsity in chosen.items() if sparsity is not None}
    models = [model for model, _ in by_model(pd.concat([frame[["model"]] for frame in data.values()]))]
    axes = [(frame, [axis for axis in ("model", "method") if axis in frame]) for frame in data.values()]
    most = max(frame.groupby(by)["seed"].nunique().max() for frame, by in axes)
    several = f"means over up to {most} seeds, with bands from the lowest to the highest"
    return facts | {"models": ", ".join(models), "seeds": "those of a single seed" if most == 1 else several}
