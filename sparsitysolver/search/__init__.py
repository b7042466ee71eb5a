"""Searching how much of each unit to keep: the episode engine, the environment, one file per algorithm."""
