"""Pruning of large language models by reinforcement learning, beside the methods it is compared with."""
