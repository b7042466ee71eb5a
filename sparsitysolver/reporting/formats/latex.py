"""Booktabs LaTeX: frames of texts, escaped, with numbered footnotes beneath."""

from collections.abc import Iterable

import pandas as pd

_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "×": r"$\times$",
        "±": r"$\pm$",
    }
)


def tex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return text.translate(_ESCAPES)


def tabular(frame: pd.DataFrame, text_columns: int, marks: dict[tuple[int, str], int] | None = None) -> str:
    """A booktabs ``tabular`` of a frame of texts.

    Args:
        frame: all text; numbers already printed.
        text_columns: how many leading columns are set to the left; the rest to the right.
        marks: footnote number by (row position, column name).
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
