"""How frames of texts are written: CSV, Markdown, and booktabs LaTeX with numbered footnotes beneath."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from sparsitysolver.records.files import atomic_path

_ESCAPES = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_ESCAPES |= {"×": r"$\times$", "±": r"$\pm$"} | {character: f"\\{character}" for character in "&%$#_{}"}


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame of texts whole or not at all."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def markdown(frame: pd.DataFrame) -> str:
    """A frame of texts as a markdown table: digits stay as they are, pipes are escaped, numbers stand to the right."""

    def escaped(value: object) -> str:
        return str(value).replace("|", "\\|")

    align = ["left", *["right"] * (len(frame.columns) - 1)]
    texts = frame.map(escaped).rename(columns=escaped)
    return texts.to_markdown(index=False, disable_numparse=True, colalign=align)


def tex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return text.translate(str.maketrans(_ESCAPES))


def tabular(frame: pd.DataFrame, text_columns: int, marks: dict[tuple[int, str], int] | None = None) -> str:
    """A booktabs ``tabular``: that many leading columns stand to the left, the others, printed numbers, to the right.

    ``marks`` holds footnote numbers by (row position, column name).
    """
    escaped = frame.map(tex_escape)
    for (position, column), number in (marks or {}).items():
        escaped.iloc[position, frame.columns.get_loc(column)] += rf"\textsuperscript{{{number}}}"
    escaped.columns = [tex_escape(str(column)) for column in frame]
    layout = "l" * text_columns + "r" * (len(frame.columns) - text_columns)
    return escaped.style.hide(axis="index").to_latex(hrules=True, column_format=layout)


def tex_table(caption: str, label: str, body: str, footnotes: Iterable[str] = ()) -> str:
    """A floating table around one or more tabulars, with footnotes beneath."""
    notes = "".join(rf"\par\footnotesize {tex_escape(note)}" + "\n" for note in footnotes)
    return (
        "% needs the packages booktabs and graphicx\n\\begin{table}\n\\centering\n"
        f"\\caption{{{tex_escape(caption)}}}\n\\label{{{label}}}\n{body}{notes}\\end{{table}}\n"
    )


def fitted(body: str) -> str:
    """A tabular that shrinks to the width of the line where it is wider: nine models do not fit a page."""
    return "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n" + body.rstrip() + "%\n}\n"
