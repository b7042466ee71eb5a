"""Perplexity over fixed windows: mean next-token cross-entropy in float32, exponentiated (design: decision 1)."""

import math

import numpy as np
import torch
from torch.nn import functional

from sparsitysolver.models.adapter import Adapter

# Logits held at a time, in elements: vocabularies are large and float32 logits of a whole batch would be gigabytes.
_LOGITS = 1 << 24
# Tokens per forward pass: enough to fill matrix multiplications, small enough for attention over 2048-token windows.
BATCH_TOKENS = 4096


@torch.inference_mode()
def window_losses(adapter: Adapter, ids: torch.Tensor, batch_tokens: int | None = None, lead: int = 0) -> np.ndarray:
    """Mean next-token cross-entropy of each window (windows, lead + seqlen), in nats per token: float64 (windows,).

    The first ``lead`` tokens (a BOS) are read only: scored are the same seqlen - 1 tokens as without them.
    """
    losses, batch_tokens = [], batch_tokens or adapter.batch_tokens(BATCH_TOKENS)
    for batch in ids.split(max(1, batch_tokens // ids.shape[1])):
        batch = batch.to(adapter.input_device)
        hidden, targets = adapter.hidden_states(batch)[:, lead:-1], batch[:, lead + 1 :]
        of_tokens = token_losses(adapter, hidden.reshape(-1, hidden.shape[-1]), targets.reshape(-1))
        losses.append(of_tokens.view(targets.shape).mean(dim=1))
    return torch.cat(losses).double().cpu().numpy()


def token_losses(adapter: Adapter, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy (n,) of target tokens (n,) given normalised last hidden states (n, hidden), in float32 nats."""
    rows = max(1, _LOGITS // adapter.lm_head.weight.shape[0])
    losses = []
    for part, want in zip(hidden.split(rows), targets.split(rows), strict=True):
        logits = adapter.logits(part).float()
        losses.append(functional.cross_entropy(logits, want.to(logits.device), reduction="none"))
    return torch.cat(losses)


def perplexity(losses: np.ndarray) -> float:
    """exp of the mean window loss; infinite or NaN losses give a non-finite perplexity, not an error."""
    mean = float(np.mean(losses))
    return math.exp(mean) if mean < 700 else math.inf if mean == mean else math.nan


def perplexity_stderr(losses: np.ndarray) -> float | None:
    """Standard error of the perplexity over windows (delta method); None for a single window."""
    if len(losses) < 2:
        return None
    return perplexity(losses) * float(np.std(losses, ddof=1)) / math.sqrt(len(losses))
