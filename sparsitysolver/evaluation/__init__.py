"""Perplexity, and what a model weighs."""
