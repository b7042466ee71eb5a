"""Pages of ``report.html``: Markdown and tables as HTML files that need nothing else, neither network nor scripts."""

from pathlib import Path

import pandas as pd
from markdown_it import MarkdownIt

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import write_text
from sparsitysolver.reporting.pages.templates import render


def html_of_markdown(text: str) -> str:
    """Markdown with tables as HTML; tags in the text are shown, not obeyed."""
    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text)


def html_command(source: Path, out: Path) -> None:
    """``report html``: a ``.md`` or ``.csv`` file as a page, the texts of a table as they stand.

    Raises:
        SparsitySolverError: no such file, or one of another kind.
    """
    if not source.is_file():
        raise SparsitySolverError(f"no file {source} to make a page of.")
    if source.suffix == ".md":
        body = html_of_markdown(source.read_text(encoding="utf-8"))
    elif source.suffix == ".csv":
        with pd.option_context("display.max_colwidth", None):
            body = pd.read_csv(source, dtype=str, keep_default_na=False).to_html(index=False, border=0)
    else:
        raise SparsitySolverError(f"{source} is neither Markdown (.md) nor a table (.csv).")
    write_text(out, render("page.html", title=source.stem, body=body))
