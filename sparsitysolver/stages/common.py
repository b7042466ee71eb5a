"""What several stages share: opening the model, its windows and calibration, statistics with their cache, records."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from sparsitysolver.config.assets import BUNDLED, Assets
from sparsitysolver.config.registry import HUB_TEXT, HUB_TEXTS, MethodRow, is_zero_shot
from sparsitysolver.data.sampling import Calibration, Sample, sample
from sparsitysolver.data.sources import Text, load_text
from sparsitysolver.data.windows import Windows, bos_token, cut_windows
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.perplexity import window_losses
from sparsitysolver.file_hashes import user_cache
from sparsitysolver.model_files import PRUNING_RECORD
from sparsitysolver.models.loading import LoadedModel, load_config, load_model
from sparsitysolver.models.source import ModelSource, resolve_model
from sparsitysolver.provenance import provenance
from sparsitysolver.pruning.units import STRUCTURED, UNSTRUCTURED
from sparsitysolver.records.files import Json, content_key, read_json
from sparsitysolver.statistics.collect import (
    ALL_TAPS,
    OUTPUT_TAPS,
    Statistics,
    collect,
    load_statistics,
    save_statistics,
)

BUNDLED_TEXT = "mini"
# What a dense model has in place of such a record, and what cells and measurements keep of one.
DENSE = {"method": "dense", "label": "Dense", "sparsity": 0.0, "seed": 0, "status": "ok"}


def assets_of(args: argparse.Namespace) -> Assets:
    """The assets folder of ``--assets`` or the environment."""
    return Assets.from_environment(args.assets)


def open_model(args: argparse.Namespace) -> LoadedModel:
    """Load MODEL as the common options say, or take the one that a caller of the library gives."""
    if hasattr(args, "given"):
        return args.given()
    return load_model(args.model, args.device, args.dtype, assets_of(args), getattr(args, "bos", None))


def check_model(args: argparse.Namespace) -> None:
    """Say that MODEL is not there before anything else is sought."""
    if not hasattr(args, "given"):
        load_config(resolve_model(args.model, assets_of(args)))


def open_dense(args: argparse.Namespace, verb: str) -> LoadedModel:
    """Load MODEL, which must be a dense one; ``verb`` is what to do with that."""
    loaded = open_model(args)
    if loaded.structure is not None:
        raise SparsitySolverError(f"{args.model} is pruned already; {verb} the dense model it came from.")
    return loaded


def model_record(loaded: LoadedModel) -> Json:
    """Which dense model something was made from or measured on."""
    return {
        "name": loaded.source.name,
        "family": loaded.adapter.shape.family,
        "weights_sha256": loaded.weights_sha256,
        "revision": loaded.source.revision,
    }


def pruning_of(model: str, assets: Assets) -> Json:
    """The record that ``prune`` left in a model's folder; empty for a dense model."""
    path = Path(resolve_model(model, assets).location) / PRUNING_RECORD
    return read_json(path, "pruning record") if path.is_file() else {}


def home_text(source: ModelSource) -> str:
    """The text a model is calibrated and searched on by default: bundled models know the mini language only."""
    bundled = source.is_local and Path(source.location).resolve().parent == BUNDLED.resolve()
    return BUNDLED_TEXT if bundled else HUB_TEXT


def text_for(name: str, source: ModelSource) -> str:
    """A method's own text, or what stands for it where the model is a bundled one."""
    return BUNDLED_TEXT if name in HUB_TEXTS and home_text(source) == BUNDLED_TEXT else name


def head_of(args: argparse.Namespace, loaded: LoadedModel, **seeds: int) -> Json:
    """What every record of a study begins with."""
    return {
        "format": 1,
        "model": model_record(loaded),
        "provenance": provenance(loaded.device, args.threads, seeds),
    }


def check_has_perplexity(task: str | None) -> None:
    """Refuse a task whose items are chosen from, where a text is needed."""
    if task and is_zero_shot(task):
        raise SparsitySolverError(f"task '{task}' has no perplexity; name a text.")


def windows_of(
    args: argparse.Namespace, loaded: LoadedModel, split: str, text: str | None = None, count: int | None = None
) -> Windows:
    """Windows of a split of a text, by default the model's own; all of them, or ``count`` spread evenly."""
    found = load_text(text or home_text(loaded.source), split, assets_of(args))
    return cut(loaded, found, loaded.seqlen(args.seqlen), count)


def cut(loaded: LoadedModel, text: Text, seqlen: int, count: int | None = None, bos: str | None = None) -> Windows:
    """Windows of a text as a model reads it, or by another BOS rule; see :func:`cut_windows`."""
    return cut_windows(text, loaded.tokenizer, seqlen, count, bos or loaded.bos, vocabulary=loaded.vocabulary)


def tokens_of(windows: Windows) -> torch.Tensor:
    """Token ids (windows, lead + seqlen) as a model takes them."""
    return torch.from_numpy(windows.read.astype(np.int64))


def losses_of(loaded: LoadedModel, windows: Windows) -> np.ndarray:
    """Mean loss (nats per token) of each window under the model as it is."""
    return window_losses(loaded.adapter, tokens_of(windows), lead=windows.lead)


def calibration_of(args: argparse.Namespace, row: MethodRow, loaded: LoadedModel) -> Calibration:
    """The method's own calibration, with what the command line overrides; windows no longer than the model takes."""
    return Calibration(
        source=args.calibration or text_for(row.source, loaded.source),
        sampler=getattr(args, "sampler", None) or row.sampler or "gptq",
        nsamples=row.nsamples if args.nsamples is None else args.nsamples,
        seqlen=loaded.seqlen(args.seqlen, row.seqlen),
        seed=row.calibration_seed + args.seed,
        items=getattr(args, "items", "search"),
        bos=loaded.bos,
    )


def calibrated(args: argparse.Namespace, row: MethodRow, loaded: LoadedModel) -> Sample:
    """The windows of :func:`calibration_of`."""
    return draw(calibration_of(args, row, loaded), loaded, assets_of(args))


def draw(calibration: Calibration, loaded: LoadedModel, assets: Assets) -> Sample:
    """Calibration windows as a model reads them; a file's must not be longer than the model takes."""
    drawn = sample(calibration, loaded.tokenizer, assets, loaded.model.config.vocab_size)
    length, most = drawn.ids.shape[1], loaded.context - loaded.lead
    if length > most:
        beside = " and a BOS before them" if loaded.lead else ""
        raise SparsitySolverError(
            f"calibration file {calibration.source} holds windows of {length} tokens; "
            f"{loaded.source.name} takes at most {most}{beside}."
        )
    return drawn.led(bos_token(loaded.tokenizer), loaded.vocabulary) if loaded.lead else drawn


def reconstruction_calibration(args: argparse.Namespace, row: MethodRow, model: LoadedModel) -> Calibration:
    """Windows of reconstruction: a source of their own, else the calibration's file whole, else as the row draws them.

    Methods that reconstruct on another text than they calibrate on draw from that; on each task's own, from ``--task``.
    """
    calibration, drawn = calibration_of(args, row, model), row.regressing
    if args.reconstruction_calibration:
        return replace(calibration, source=args.reconstruction_calibration)
    source = calibration.source
    if drawn.source not in ("", row.source) and not args.calibration:
        source = text_for(drawn.source, model.source)
    if drawn.source == "task":
        source = args.task
    return replace(
        calibration,
        source=source,
        sampler=calibration.sampler if drawn.sampler == row.sampler else drawn.sampler,
        nsamples=min(calibration.nsamples, drawn.nsamples),
        seqlen=min(calibration.seqlen, drawn.seqlen),
        seed=calibration.seed - row.calibration_seed + drawn.calibration_seed,
    )


def no_ids() -> np.ndarray:
    """Windows of a job that works on statistics alone."""
    raise SparsitySolverError("this works on statistics of the dense model and calibrates nothing itself.")


def taps_of(granularity: str) -> tuple[str, ...]:
    """The inputs that a granularity's criteria read."""
    return ALL_TAPS if granularity == UNSTRUCTURED else OUTPUT_TAPS


def statistics_of(loaded: LoadedModel, windows: Sample, stats: str | None, granularity: str = STRUCTURED) -> Statistics:
    """Moments of the dense model: from a file of ``calibrate``, else from the cache, else computed and cached."""
    taps = taps_of(granularity)
    if stats:
        return load_statistics(stats, loaded.model_sha256, windows.sha256, taps)
    from sparsitysolver.sources import code_sha256, source_files  # it knows the searches, which statistics have none of

    # All that decides statistics: the model, the windows, how sums are rounded, and the code that takes them.
    rounding = [loaded.dtype, loaded.device.split(":")[0], torch.get_num_threads(), torch.__version__]
    code = code_sha256(source_files("sparsitysolver.statistics.collect"))
    key = content_key([loaded.model_sha256, windows.sha256, list(taps), rounding, code], 32)
    cached = user_cache() / "statistics" / f"{key}.safetensors"
    if cached.is_file():
        return load_statistics(cached, loaded.model_sha256, windows.sha256, taps)
    statistics = collect(loaded.adapter, windows.ids, loaded.model_sha256, windows.sha256, taps)
    save_statistics(statistics, cached)
    return statistics
