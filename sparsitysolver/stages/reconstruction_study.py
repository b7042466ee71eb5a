"""``study reconstruction``: perplexity by the number of reconstruction samples and the modules reconstructed."""

import argparse
import json
from dataclasses import replace
from statistics import median

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
from sparsitysolver.stages.common import (
    assets_of,
    calibrated,
    calibration_of,
    check_has_perplexity,
    draw,
    head_of,
    losses_of,
    model_record,
    open_dense,
    statistics_of,
    windows_of,
)

METHOD = "uniform_recon"  # whose default calibration is taken


def run(args: argparse.Namespace) -> None:
    """Slice MODEL by one strategy, reconstruct on more and more windows, and evaluate each time."""
    clock = Clock()
    check_sparsity(args.sparsity)
    numbers = sample_numbers(args.samples)
    check_has_perplexity(args.task)
    study = _Study(args, open_dense(args, "study"), numbers[-1])
    record = study.head() | {"dense": study.perplexity(), "sliced": study.sliced()}
    points, seconds = [], []
    choices = [(samples, modules) for samples in numbers for modules in reconstruction.MODULES]
    for samples, modules in tqdm(choices, desc="reconstruct", unit="pt"):
        point, took = study.reconstructed(samples, modules)
        points.append(point)
        seconds.append(took)
        tqdm.write(f"{modules}, {samples} samples: perplexity {point['ppl']['value']:.4f}")
    record |= {"points": points, "run": clock.record(points=seconds)}
    write_record(args.out, record, "reconstruction")
    if args.json:
        print(json.dumps(record))
    else:
        dense, sliced = (record[name]["value"] for name in ("dense", "sliced"))
        print(f"{args.out}: {len(points)} reconstructions; perplexity {dense:.4f} dense, {sliced:.4f} sliced only")


def sample_numbers(text: str) -> list[int]:
    """Numbers of samples from ``1,2,4``: whole, at least 1, ascending."""
    parts = text.split(",")
    numbers = [int(part) for part in parts if part.strip().isdecimal()]
    if len(numbers) < len(parts) or numbers[0] < 1 or any(a >= b for a, b in zip(numbers, numbers[1:])):
        raise SparsitySolverError(
            f"samples '{text}' asked for; ascending numbers of at least 1 are needed, such as 1,2,4 (0, no "
            "reconstruction, is measured anyway)."
        )
    return numbers


class _Study:
    """One model, one strategy; calibration, statistics and evaluation windows are made once for all measurements."""

    def __init__(self, args: argparse.Namespace, loaded: LoadedModel, largest: int) -> None:
        self.args, self.loaded = args, loaded
        self.job = Job(
            adapter=loaded.adapter,
            sparsity=args.sparsity,
            calibrate=lambda: self._statistics,
            ids=lambda: self.calibration.ids,
            reconstruction_ids=lambda: self.samples.ids,
            seed=args.seed,
        )
        self.strategy = self._strategy()
        self.windows = windows_of(args, loaded, args.split, args.task, args.windows)
        self.samples = _reconstruction_sample(args, loaded, largest)
        self.calibration = calibrated(args, method(METHOD), loaded)
        self._statistics = statistics_of(loaded, self.calibration, args.stats)

    def _strategy(self) -> Json:
        args, units = self.args, self.job.units
        if args.strategy:
            return read_strategy(args.strategy, units, self.loaded.weights_sha256, args.sparsity)
        kept, found = uniform.allocate(self.job), {"algorithm": "uniform"}
        return make_strategy(units, kept, args.sparsity, model_record(self.loaded), found, args.seed, seen=[])

    def perplexity(self) -> Json:
        """Perplexity of the model as it is now."""
        return finite_perplexity(self.loaded, self.windows, losses_of(self.loaded, self.windows))

    def sliced(self) -> Json:
        """Perplexity without reconstruction: 0 samples."""
        with dense_again(self.loaded.adapter):
            slicing.prune(self.job, kept_counts(self.strategy))
            return self.perplexity()

    def reconstructed(self, samples: int, modules: str) -> tuple[Json, Json]:
        """Perplexity with some modules reconstructed on the first ``samples`` windows, and the seconds that it took."""
        ids = self.samples.ids[:samples]
        job = replace(self.job, reconstruction_ids=lambda: ids, options={"modules": modules})
        with dense_again(self.loaded.adapter):
            outcome = reconstruction.prune(job, kept_counts(self.strategy))
            ppl = self.perplexity()
        point = {"modules": modules, "samples": samples}
        return point | {"tokens": int(ids.size), "ppl": ppl}, point | _seconds(outcome.run["module_seconds"])

    def head(self) -> Json:
        """What the record says besides the measurements."""
        return head_of(self.args, self.loaded, calibration=self.args.seed) | {
            "sparsity": self.args.sparsity,
            "seed": self.args.seed,
            "strategy": identity(self.strategy),
            "criterion": self.job.criterion,
            "ridge": reconstruction.RIDGE,
            "calibration": self.calibration.record(),
            "reconstruction": self.samples.record(),
            "fingerprint": perplexity_fingerprint(self.loaded, self.windows),
        }


def _reconstruction_sample(args: argparse.Namespace, loaded: LoadedModel, largest: int) -> Sample:
    """As many windows as the largest reconstruction takes; smaller ones take the first of them."""
    calibration = calibration_of(args, method(METHOD), loaded)
    wanted = replace(calibration, source=args.reconstruction_calibration or calibration.source, nsamples=largest)
    drawn = draw(wanted, loaded, assets_of(args))
    found = len(drawn.ids)
    if found < largest:
        raise SparsitySolverError(f"{largest} samples asked for; {wanted.source} holds {found} windows.")
    return Sample(drawn.ids[:largest], drawn.origin | {"nsamples": largest})


def _seconds(by_module: dict[str, float]) -> Json:
    """Seconds of every module, and their medians: over all, and over each kind."""
    kinds = {kind: [value for name, value in by_module.items() if name.endswith(f".{kind}")] for kind in (MHA, FFN)}
    medians = {f"seconds_per_{kind}": median(values) for kind, values in kinds.items() if values}
    return {"module_seconds": by_module, "seconds_per_module": median(by_module.values())} | medians
