"""``sample``: draw a method's calibration windows and write their token ids."""

import argparse
import io

import numpy as np

from sparsitysolver.config.bos import EVERY
from sparsitysolver.config.registry import HUB_TEXT
from sparsitysolver.data.sampling import Calibration, record_path, sample
from sparsitysolver.data.windows import bos_token
from sparsitysolver.models.adapter import adapter_class
from sparsitysolver.models.loading import load_config, load_tokenizer
from sparsitysolver.models.source import resolve_model
from sparsitysolver.records.files import atomic_path, write_json
from sparsitysolver.stages.common import assets_of, text_for


def run(args: argparse.Namespace) -> None:
    """Write ``--out`` (ids, shape (nsamples, seqlen), int32) and beside it a JSON of how they were drawn.

    The token that ``--bos every`` puts before each window is not among them: it is put there when they are read.
    """
    assets = assets_of(args)
    source = resolve_model(args.model, assets)
    config = load_config(source)
    bos = args.bos or adapter_class(config).bos
    text, tokenizer = text_for(args.calibration or HUB_TEXT, source), load_tokenizer(source)
    if bos == EVERY:
        bos_token(tokenizer)  # refuse one that has none
    seqlen = min(2048 if args.seqlen is None else args.seqlen, config.max_position_embeddings - (bos == EVERY))
    wanted = Calibration(text, args.sampler, args.nsamples, seqlen, args.seed, args.items, bos)
    drawn = sample(wanted, tokenizer, assets, config.vocab_size)
    buffer = io.BytesIO()
    np.save(buffer, drawn.ids)
    write_json(record_path(args.out), drawn.record())
    with atomic_path(args.out) as temporary:
        temporary.write_bytes(buffer.getvalue())
    print(f"{args.out}: {drawn.ids.shape[0]} windows of {drawn.ids.shape[1]} tokens, sha256 {drawn.sha256[:16]}")
