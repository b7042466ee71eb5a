"""Markdown tables of frames of texts."""

import pandas as pd


def markdown(frame: pd.DataFrame) -> str:
    """A frame of texts as a markdown table: digits stay as they are, pipes are escaped, numbers stand to the right."""
    texts = frame.map(_escaped).rename(columns=_escaped)
    align = ["left", *["right"] * (len(frame.columns) - 1)]
    return texts.to_markdown(index=False, disable_numparse=True, colalign=align)


def _escaped(value: object) -> str:
    return str(value).replace("|", "\\|")
