"""Texts of pages, apart from what fills them: values in, a whole page out."""

from typing import Any

import jinja2

from sparsitysolver.reporting.formats import markdown

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader(__name__, "."),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=lambda name: name is not None and ".html" in name,
)
_ENVIRONMENT.filters["markdown"] = markdown


def render(template: str, **values: Any) -> str:
    """Fill ``TEMPLATE.j2`` of this folder; a value that the template asks for and does not get is an error."""
    return _ENVIRONMENT.get_template(f"{template}.j2").render(values).rstrip("\n") + "\n"
