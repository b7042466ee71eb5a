"""Generated sections of a page, between ``<!-- generated:NAME -->`` and ``<!-- /generated -->``."""

import re
from pathlib import Path

import pandas as pd

from sparsitysolver.config.tables import METHOD
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import read_json, write_text
from sparsitysolver.reporting.formats import markdown
from sparsitysolver.reporting.pages.sections import ARENA_SECTIONS
from sparsitysolver.reporting.tables.files import footnote_text
from sparsitysolver.reporting.tables.tables import Footnote

_END = "<!-- /generated -->"
_TABLE = re.compile(r"table\d+")
_START = re.compile(r"<!-- generated:(\S+) -->")


def fill(text: str, name: str, content: str) -> str:
    """Replace what stands between the markers of a section; the markers and everything else stay.

    Raises:
        SparsitySolverError: the section is missing, stands twice, or is not closed before the next one opens.
    """
    marker = f"<!-- generated:{name} -->"
    if text.count(marker) != 1:
        found = ", ".join(_START.findall(text)) or "none"
        raise SparsitySolverError(
            f"generated section '{name}' stands {text.count(marker)} times, needed once; sections found: {found}. "
            f"Put '{marker}' and '{_END}' where it belongs."
        )
    before, after = text.split(marker)
    body, end, rest = after.partition(_END)
    if not end or _START.search(body):
        raise SparsitySolverError(f"generated section '{name}' is not closed; put '{_END}' at its end.")
    return f"{before}{marker}\n{content.strip()}\n{_END}{rest}"


def table_section(results: Path, name: str, grid: str) -> str:
    """A written table as markdown, with its footnotes and the grid it was measured on."""
    path = results / f"{name}.csv"
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no table at {path}; make it with 'sparsitysolver report table {name}'.") from error
    path = results / f"{name}.footnotes.json"
    sidecar = read_json(path, "table's footnotes") if path.is_file() else {}
    notes = ""
    for note in sidecar.get("footnotes", []):  # those on rows of the extended twin alone are left out
        places = tuple((row, column) for row, column in note["places"] if row in list(frame[METHOD]))
        notes += f"- {footnote_text(Footnote(note['number'], note['reason'], places))}\n" if places else ""
    columns = [column.split("@")[0] for column in frame]
    unnamed = "".join(f"; model: {model}" for model in sidecar.get("models", []) if model not in columns)
    settings = f"; settings: {', '.join(sidecar['settings'])}" if "settings" in sidecar else ""
    return f"{markdown(frame)}\n\n{notes}\nGenerated from `{name}.csv`; grid: {grid}{unnamed}{settings}."


def readme_command(readme: Path, results: Path, grid: str) -> None:
    """``sparsitysolver report readme``: fill the generated sections of a page.

    Those named like tables are filled always. What the arena found is filled where its files are: it takes longer to
    make than a table, and stays as it is otherwise.
    """
    try:
        text = readme.read_text()
    except FileNotFoundError as error:
        raise SparsitySolverError(f"no page at {readme}.") from error
    sections = _START.findall(text)
    known = [name for name in sections if _TABLE.fullmatch(name) or name in ARENA_SECTIONS]
    if not known:
        raise SparsitySolverError(
            f"{readme} has no generated section to fill: found {', '.join(sections) or 'none'}; those of tables "
            f"(table2 …) and {', '.join(ARENA_SECTIONS)} can be."
        )
    for name in known:
        if _TABLE.fullmatch(name):
            text = fill(text, name, table_section(results, name, grid))
            continue
        file, section = ARENA_SECTIONS[name]
        if (results / file).is_file():
            text = fill(text, name, f"{section(results / file)}\n\nGenerated from `{file}`; grid: {grid}.")
    write_text(readme, text)
