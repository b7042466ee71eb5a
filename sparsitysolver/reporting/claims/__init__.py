"""Collected results in, claims.csv out: a verdict on every testable sentence of the paper."""
