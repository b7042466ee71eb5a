"""Pages of ``report.html``: Markdown and tables as HTML files that need nothing else, neither network nor scripts."""

import html
from pathlib import Path

import pandas as pd
from markdown_it import MarkdownIt

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import write_text

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; margin: 1.5em; line-height: 1.4; }}
table {{ border-collapse: collapse; font-size: 0.9em; margin: 1em 0; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 0.2em 0.7em; border-bottom: 1px solid #ddd; text-align: left; }}
th {{ border-bottom: 2px solid #555; }}
</style>
<body>
{body}
</body>
</html>
"""


def html_page(title: str, body: str) -> str:
    """A whole page around a piece of HTML."""
    return _PAGE.format(title=html.escape(title), body=body.strip())


def html_of_markdown(text: str) -> str:
    """Markdown with tables as HTML; tags in the text are shown, not obeyed."""
    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text)


def html_of_csv(path: Path) -> str:
    """A CSV file as an HTML table, its texts as they stand."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    with pd.option_context("display.max_colwidth", None):
        return frame.to_html(index=False, border=0)


def html_command(source: Path, out: Path) -> None:
    """``report html``: a ``.md`` or ``.csv`` file as a page.

    Raises:
        SparsitySolverError: no such file, or one of another kind.
    """
    if not source.is_file():
        raise SparsitySolverError(f"no file {source} to make a page of.")
    if source.suffix == ".md":
        body = html_of_markdown(source.read_text(encoding="utf-8"))
    elif source.suffix == ".csv":
        body = html_of_csv(source)
    else:
        raise SparsitySolverError(f"{source} is neither Markdown (.md) nor a table (.csv).")
    write_text(out, html_page(source.stem, body))
