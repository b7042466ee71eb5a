"""``sample``: draw a method's calibration windows and write their token ids."""

import argparse
import io

import numpy as np

from sparsitysolver.config.registry import HUB_TEXT
from sparsitysolver.data.sampling import Calibration, record_path, sample
from sparsitysolver.models.adapter import adapter_class
from sparsitysolver.models.loading import load_config, load_tokenizer, resolve_model
from sparsitysolver.records.files import atomic_path, write_json
from sparsitysolver.stages.common import assets_of, text_for


def run(args: argparse.Namespace) -> None:
    """Write ``--out`` (ids, shape (nsamples, seqlen), int32) and beside it a JSON of how they were drawn."""
    assets = assets_of(args)
    source = resolve_model(args.model, assets)
    config = load_config(source)
    adapter_class(config)
    text = text_for(args.calibration or HUB_TEXT, source)
    seqlen = min(2048 if args.seqlen is None else args.seqlen, config.max_position_embeddings)
    wanted = Calibration(text, args.sampler, args.nsamples, seqlen, args.seed, args.items)
    drawn = sample(wanted, load_tokenizer(source), assets, config.vocab_size)
    buffer = io.BytesIO()
    np.save(buffer, drawn.ids)
    write_json(record_path(args.out), drawn.record())
    with atomic_path(args.out) as temporary:
        temporary.write_bytes(buffer.getvalue())
    print(f"{args.out}: {drawn.ids.shape[0]} windows of {drawn.ids.shape[1]} tokens, sha256 {drawn.sha256[:16]}")
