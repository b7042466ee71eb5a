"""Collected cells and accepted values in, regression.csv out: what has moved since somebody last agreed."""
