"""Pruned models for others: the folder that plain transformers load, its model card, and the way to the hub."""
