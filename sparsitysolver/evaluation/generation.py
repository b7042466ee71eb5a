"""Greedy generation in its two phases, prefill and decode, and a check that the cache does not change what comes out.

A batch holds prompts of equal length, so nothing is padded. No token ends a text: every model does the same work.
"""

import torch
from transformers import Cache, PreTrainedModel

from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import Json

# How far logits with and without a cache may lie apart, as root mean square over the vocabulary and in standard
# deviations of the logits: room for rounding alone (seen: 1e-6 in float32). A broken cache is off by about 1.
TOLERANCES = {"float32": 1e-3, "float16": 0.05, "bfloat16": 0.2}


@torch.inference_mode()
def prefill(model: PreTrainedModel, prompt: torch.Tensor) -> tuple[Cache, torch.Tensor]:
    """One forward pass over prompts (batch, tokens): the cache, and logits (batch, vocabulary) of the last position.

    The head is applied to the last position alone, as generation does it.
    """
    output = model(input_ids=prompt, use_cache=True, logits_to_keep=1)
    return output.past_key_values, output.logits[:, -1]


@torch.inference_mode()
def step(model: PreTrainedModel, cache: Cache, token: torch.Tensor) -> torch.Tensor:
    """Logits (batch, vocabulary) after one more token (batch, 1), whose keys and values join the cache."""
    return model(input_ids=token, past_key_values=cache, use_cache=True).logits[:, -1]


@torch.inference_mode()
def decode(model: PreTrainedModel, cache: Cache, logits: torch.Tensor, steps: int) -> torch.Tensor:
    """Tokens (batch, steps), a forward pass each, every one the best by the logits (batch, vocabulary) before it."""
    tokens = []
    for _ in range(steps):
        tokens.append(logits.argmax(dim=-1, keepdim=True))
        logits = step(model, cache, tokens[-1])
    return torch.cat(tokens, dim=1)


@torch.inference_mode()
def check_cache(model: PreTrainedModel, prompt: torch.Tensor, steps: int, dtype: str, name: str) -> Json:
    """Compare cached greedy generation with a forward pass without cache over all that it generated.

    One pass is enough: if it names the same best token after every prefix, then generation without a cache, which
    starts from the same prompt, goes through the same prefixes.

    Returns:
        ``tokens`` compared, of all prompts together; ``different`` ones, which only ties within rounding may be; and
        the greatest ``distance`` of the logits (see ``TOLERANCES``).

    Raises:
        SparsitySolverError: the logits are not finite, or differ by more than rounding.
    """
    cache, logits = prefill(model, prompt)
    cached, text = [logits], prompt
    for _ in range(steps):
        token = cached[-1].argmax(dim=-1, keepdim=True)
        text = torch.cat([text, token], dim=1)
        cached.append(step(model, cache, token))
    plain = model(input_ids=text, use_cache=False, logits_to_keep=steps + 1).logits.float()
    found = torch.stack(cached, dim=1).float()
    distances = (found - plain).square().mean(dim=-1).sqrt() / plain.std(dim=-1)
    if not distances.isfinite().all():
        raise SparsitySolverError(f"{name} generates from logits that are not finite. Try another dtype.")
    off = (distances > TOLERANCES[dtype]).any(dim=0).nonzero()
    if len(off):
        raise SparsitySolverError(
            f"{name} generates other tokens with a cache than without: from token {int(off[0]) + 1} of "
            f"{distances.shape[1]} on its logits are up to {float(distances.max()):.3g} standard deviations apart "
            f"({TOLERANCES[dtype]:g} allowed for rounding). Its speed would be that of another model; prune it again, "
            "and report this if it happens again."
        )
    different = int((found.argmax(dim=-1) != plain.argmax(dim=-1)).sum())
    return {"tokens": distances.numel(), "different": different, "distance": float(distances.max())}
