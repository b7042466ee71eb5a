"""``study reconstruction``: perplexity by the number of reconstruction samples and the modules reconstructed."""

import argparse
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np
from tqdm import tqdm

from baselines import reconstruction, slicing, uniform
from sparsitysolver.config.registry import method
from sparsitysolver.data.sampling import Sample
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.evaluation.cells import finite_perplexity, perplexity_fingerprint
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.provenance import Clock
from sparsitysolver.pruning.job import Job
from sparsitysolver.pruning.slicing import dense_again
from sparsitysolver.pruning.strategy import kept_counts, make_strategy, read_strategy
from sparsitysolver.pruning.units import FFN, MHA, check_sparsity
from sparsitysolver.records.files import Json, identity, write_record
from sparsitysolver.stages import common

METHOD = "uniform_recon"  # whose default calibration is taken


def run(args: argparse.Namespace) -> None:
    """Slice MODEL by one strategy, reconstruct on more and more windows, and evaluate each time."""
    clock = Clock()
    check_sparsity(args.sparsity)
    numbers = sample_numbers(args.samples)
    common.check_has_perplexity(args.task)
    loaded = common.open_dense(args, "study")
    job = Job(
        adapter=loaded.adapter,
        sparsity=args.sparsity,
        calibrate=lambda: statistics,
        ids=lambda: calibration.ids,
        reconstruction_ids=lambda: samples.ids,
        seed=args.seed,
    )
    strategy = _strategy(args, loaded, job)
    windows = common.windows_of(args, loaded, args.split, args.task, args.windows)
    samples = _reconstruction_sample(args, loaded, numbers[-1])
    calibration = common.calibrated(args, method(METHOD), loaded)
    statistics, kept = common.statistics_of(loaded, calibration, args.stats), kept_counts(strategy)

    def ppl() -> Json:
        """Perplexity of the model as it is now."""
        return finite_perplexity(loaded, windows, common.losses_of(loaded, windows))

    record = common.head_of(args, loaded, calibration=args.seed) | {
        "sparsity": args.sparsity,
        "seed": args.seed,
        "strategy": identity(strategy),
        "criterion": job.criterion,
        "ridge": reconstruction.RIDGE,
        "calibration": calibration.record(),
        "reconstruction": samples.record(),
        "fingerprint": perplexity_fingerprint(loaded, windows),
        "dense": ppl(),
        "points": [],
    }
    with dense_again(loaded.adapter):
        slicing.prune(job, kept)
        record["sliced"] = ppl()
    seconds, choices = [], list(itertools.product(numbers, reconstruction.MODULES))
    for number, modules in tqdm(choices, desc="reconstruct", unit="pt"):
        point, took = _reconstructed(job, kept, samples.ids[:number], modules, ppl)
        record["points"].append(point)
        seconds.append(took)
        tqdm.write(f"{modules}, {number} samples: perplexity {point['ppl']['value']:.4f}")
    record["run"] = clock.record(points=seconds)
    write_record(args.out, record, "reconstruction")
    dense, sliced = (record[name]["value"] for name in ("dense", "sliced"))
    words = f"{args.out}: {len(choices)} reconstructions; perplexity {dense:.4f} dense, {sliced:.4f} sliced only"
    print(json.dumps(record) if args.json else words)


def sample_numbers(text: str) -> list[int]:
    """Numbers of samples from ``1,2,4``: whole, at least 1, ascending."""
    parts = text.split(",")
    numbers = [int(part) for part in parts if part.strip().isdecimal()]
    if len(numbers) < len(parts) or numbers[0] < 1 or any(a >= b for a, b in itertools.pairwise(numbers)):
        raise SparsitySolverError(
            f"samples '{text}' asked for; ascending numbers of at least 1 are needed, such as 1,2,4 (0, no "
            "reconstruction, is measured anyway)."
        )
    return numbers


def _strategy(args: argparse.Namespace, loaded: LoadedModel, job: Job) -> Json:
    """The strategy asked for, else the uniform one."""
    if args.strategy:
        return read_strategy(args.strategy, job.units, loaded.weights_sha256, args.sparsity)
    kept, found = uniform.allocate(job), {"algorithm": "uniform"}
    return make_strategy(job.units, kept, args.sparsity, common.model_record(loaded), found, args.seed, seen=[])


def _reconstruction_sample(args: argparse.Namespace, loaded: LoadedModel, largest: int) -> Sample:
    """As many windows as the largest reconstruction takes; smaller ones take the first of them."""
    calibration = common.calibration_of(args, method(METHOD), loaded)
    wanted = replace(calibration, source=args.reconstruction_calibration or calibration.source, nsamples=largest)
    drawn = common.draw(wanted, loaded, common.assets_of(args))
    found = len(drawn.ids)
    if found < largest:
        raise SparsitySolverError(f"{largest} samples asked for; {wanted.source} holds {found} windows.")
    return Sample(drawn.ids[:largest], drawn.origin | {"nsamples": largest})


def _reconstructed(
    job: Job, kept: list[int], ids: np.ndarray, modules: str, ppl: Callable[[], Json]
) -> tuple[Json, Json]:
    """Perplexity with some modules reconstructed on some windows, and the seconds that it took.

    Seconds are those of every module, and their medians: over all, and over each kind.
    """
    own = replace(job, reconstruction_ids=lambda: ids, options={"modules": modules})
    with dense_again(job.adapter):
        by_module = reconstruction.prune(own, kept).run["module_seconds"]
        point = {"modules": modules, "samples": len(ids)}
        measured = point | {"tokens": int(ids.size), "ppl": ppl()}
    kinds = {kind: [value for name, value in by_module.items() if name.endswith(f".{kind}")] for kind in (MHA, FFN)}
    medians = {f"seconds_per_{kind}": median(values) for kind, values in kinds.items() if values}
    times = {"module_seconds": by_module, "seconds_per_module": median(by_module.values())} | medians
    return measured, point | times
