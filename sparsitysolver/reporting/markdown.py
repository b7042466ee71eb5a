"""Frames of texts as markdown tables."""

import pandas as pd


def markdown(frame: pd.DataFrame) -> str:
    """A frame of texts as a markdown table: digits stay as they are, pipes are escaped, numbers stand to the right."""
    texts = frame.map(lambda value: str(value).replace("|", "\\|"))
    align = ["left", *["right"] * (len(frame.columns) - 1)]
    return texts.to_markdown(index=False, disable_numparse=True, colalign=align)
