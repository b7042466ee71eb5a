"""Strategies in the files of other tools, and strategies of other models (no torch)."""
