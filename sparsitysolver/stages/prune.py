"""``prune``: allocate (or read a strategy), prune, write a folder that is again a model."""

import argparse
import importlib
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch

from sparsitysolver.config.registry import SEARCHING, MethodRow, method
from sparsitysolver.data.sampling import Sample
from sparsitysolver.errors import SparsitySolverError, report_warning
from sparsitysolver.evaluation.size import Achieved, measure_size
from sparsitysolver.hub.writing import write_hub
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.models.saving import (
    HUB,
    PADDED,
    Behaviour,
    check_saved,
    release,
    round_to,
    save_padded,
    save_pruned,
)
from sparsitysolver.models.structure import CONFIG_FIELD
from sparsitysolver.provenance import Clock
from sparsitysolver.pruning.job import Job, Outcome
from sparsitysolver.pruning.masks import Pattern
from sparsitysolver.pruning.strategy import kept_counts, make_strategy, read_strategy
from sparsitysolver.pruning.units import GRANULARITIES, STRUCTURED, check_sparsity
from sparsitysolver.records.files import Json, atomic_folder, identity, read_record, write_json
from sparsitysolver.records.seen import CALIBRATION, RECONSTRUCTION, Seen, seen_by, seen_of_sample, union
from sparsitysolver.search.algorithms import DRIVEN
from sparsitysolver.search.settings import ACCURACY, DEFAULT_CRITERIA, SearchSettings, check_criterion
from sparsitysolver.stages import common
from sparsitysolver.stages.card import CardFacts
from sparsitysolver.stages.common import PRUNING_RECORD, assets_of, model_record, open_model

UNIFORM = "uniform"  # the allocator whose matrices an N:M pattern may take over
DEFAULT_SPARSITY = 0.2


def baseline(name: str) -> ModuleType:
    """The file of ``baselines/`` with this name."""
    return importlib.import_module(f"baselines.{name}")


class Pruning(NamedTuple):
    """A model as it was pruned in memory; its record says so where it was skipped, and then there is no outcome."""

    loaded: LoadedModel
    record: Json
    outcome: Outcome | None = None
    achieved: Achieved | None = None


def run(args: argparse.Namespace) -> None:
    """Prune MODEL by ``--method`` to ``--sparsity`` and write the folder ``--out``."""
    made = pruned(args)
    record = made.record
    if made.outcome is None:  # a grid makes a cell of it
        with atomic_folder(args.out, replace=False) as folder:
            write_json(folder / PRUNING_RECORD, record)
        print(f"{args.out}: skipped: {record['reason']}")
        return
    write(made, args.out, args.format, keep=False)
    done = f"{record['label']} at sparsity {args.sparsity}: {made.achieved}, {record['run']['wall_seconds']} s"
    print(f"{args.out}: {done}")


def pruned(args: argparse.Namespace) -> Pruning:
    """Prune MODEL as the options of ``prune`` say."""
    clock = Clock()
    row = _resolved(args)
    _check(args, row)
    loaded = common.open_dense(args, "prune")
    pruner = baseline(row.pruner)
    work = _Work(args, row, loaded)
    if work.job.pattern:
        for unit in work.job.units:
            work.job.pattern.check(unit.name, unit.size)
    checks = (getattr(baseline(name), "skip", None) for name in (row.allocator, row.pruner) if name)
    reason = next(filter(None, (check(work.job) for check in checks if check)), None)
    if reason and not args.allow_skip:
        raise SparsitySolverError(
            f"method '{row.key}' cannot prune {args.model} to sparsity {args.sparsity}: {reason}."
        )
    if reason:
        return Pruning(loaded, work.record(None, None) | {"reason": reason, "run": clock.record()})
    if work.card:
        work.card.start()
    dense = sum(tensor.numel() for tensor in loaded.model.parameters())
    strategy = work.strategy()
    outcome = pruner.prune(work.job, kept_counts(strategy) if strategy else None)
    if work.card:
        round_to(loaded.model, getattr(torch, loaded.stored))
    achieved = Achieved(measure_size(loaded.adapter), 0.0 if row.key == "dense" else args.sparsity, dense)
    for text in achieved.warnings(pruner.ratio(work.job) if hasattr(pruner, "ratio") else ""):
        work.warn(text)
    record = work.record(strategy, outcome) | {"size": achieved.record(), "run": clock.record(**outcome.run)}
    if work.card:
        record = work.card.record(record, outcome.structure is not None)
    return Pruning(loaded, record, outcome, achieved)


def _resolved(args: argparse.Namespace) -> MethodRow:
    """The method's row at the granularity asked for (or of the strategy given), its sparsity settled in ``args``."""
    granularity = args.granularity
    if args.strategy and args.method == SEARCHING and granularity is None:
        granularity = read_record(args.strategy, "strategy")["granularity"]
    row = method(args.method, granularity)
    if args.pattern == "unstructured":  # how the field's scripts say that there is no pattern
        args.pattern = None
    given = args.sparsity
    if args.pattern:
        args.sparsity = Pattern.parse(args.pattern).sparsity
        if given not in (None, args.sparsity):
            raise SparsitySolverError(
                f"pattern {args.pattern} gives sparsity {args.sparsity}, and {given} was asked for."
            )
    elif given is None:
        args.sparsity = DEFAULT_SPARSITY
    return row


def _check(args: argparse.Namespace, row: MethodRow) -> None:
    """Refuse what is wrong before anything is loaded."""
    if args.criterion and row.granularity in GRANULARITIES:
        check_criterion(row.granularity, args.criterion)
    if row.key != "dense":
        check_sparsity(args.sparsity)
    if args.pattern and not (getattr(baseline(row.pruner), "PATTERNS", False) and row.allocator == UNIFORM):
        raise SparsitySolverError(f"method '{row.key}' has no N:M pattern; magnitude, wanda and sparsegpt have.")
    if row.allocator == SEARCHING and not args.strategy:
        algorithm = _search_settings(args, row).algorithm
        if algorithm in DRIVEN:
            raise SparsitySolverError(
                f"algorithm '{algorithm}' asks a chat model, which prune has no options for: find a strategy by "
                "'sparsitysolver search' first, and give it by --strategy."
            )
    if row.reconstruction == "task" and not (args.task or args.reconstruction_calibration):
        raise SparsitySolverError(f"method '{row.key}' reconstructs on a task's own text: name the task by --task.")
    if args.strategy and not row.allocator:
        raise SparsitySolverError(f"method '{row.key}' has no per-layer allocation: it takes no --strategy.")
    if args.card_text:
        if args.format != HUB:
            raise SparsitySolverError(f"--card-text is for the card of --format hub; format {args.format} has none.")
        common.check_has_perplexity(args.card_text)
    if Path(args.out).exists() and any(Path(args.out).iterdir() if Path(args.out).is_dir() else [1]):
        raise SparsitySolverError(f"{args.out} exists and is not empty; give another --out or remove it.")


def _search_settings(args: argparse.Namespace, row: MethodRow) -> SearchSettings:
    own = {"reward": ACCURACY} if row.reward == "task" else {}
    return SearchSettings.from_options(vars(args) | {"granularity": row.granularity} | own)


class _Work:
    """One call of ``prune``: draws calibration data on first use and remembers what was used for the record."""

    def __init__(self, args: argparse.Namespace, row: MethodRow, loaded: LoadedModel) -> None:
        self.args, self.row, self.loaded = args, row, loaded
        self._samples: dict[str, Sample] = {}
        self._warnings: list[str] = []
        self._searched: Json | None = None
        self.card = CardFacts(args, row, loaded) if args.format == HUB else None
        pairs = [pair for pair in [*row.options.split(","), *args.set] if pair]
        bad = [pair for pair in pairs if "=" not in pair]
        if bad:
            raise SparsitySolverError(f"option '{bad[0]}': name=value is needed.")
        self.job = Job(
            adapter=loaded.adapter,
            sparsity=args.sparsity,
            calibrate=lambda: common.statistics_of(loaded, self._sample(CALIBRATION), args.stats, row.granularity),
            ids=lambda: self._sample(CALIBRATION).ids,
            reconstruction_ids=lambda: self._sample(RECONSTRUCTION).ids,
            granularity=row.granularity if row.granularity in GRANULARITIES else STRUCTURED,
            criterion=args.criterion or DEFAULT_CRITERIA.get(row.granularity, "l2"),
            whole=getattr(baseline(row.pruner), "WHOLE", True),
            pattern=Pattern.parse(args.pattern) if args.pattern else None,
            seed=args.seed,
            options=dict(pair.split("=", 1) for pair in pairs),
            search=self._search,
        )

    def _sample(self, name: str) -> Sample:
        if name not in self._samples:
            wanted = common.calibration_of if name == CALIBRATION else common.reconstruction_calibration
            drawn = common.draw(wanted(self.args, self.row, self.loaded), self.loaded, assets_of(self.args))
            self._samples[name] = drawn
            if self.card and name == CALIBRATION:
                self.card.drawn(drawn)
            gram = getattr(baseline(self.row.pruner), "GRAM", None)
            if gram is not None and gram.windows == name:
                text = gram.few_tokens(self.row.label, self.loaded.adapter.shape, drawn.ids.size)
                if text:
                    self.warn(text)
        return self._samples[name]

    def warn(self, text: str) -> None:
        """Say something that a reader of the result must know, and keep it in the record."""
        report_warning("sparsitysolver", text)
        self._warnings.append(text)

    def strategy(self) -> Json | None:
        """The strategy given, or the allocator's; None for methods without allocation."""
        if not self.row.allocator:
            return None
        units, weights, sparsity = self.job.units, self.loaded.weights_sha256, self.args.sparsity
        model, granularity, seed = model_record(self.loaded), self.job.granularity, self.args.seed
        if self.args.strategy:
            return read_strategy(self.args.strategy, units, weights, sparsity, granularity)
        kept = baseline(self.row.allocator).allocate(self.job)
        found = self._searched["found"] if self._searched else {"algorithm": self.row.allocator}
        seen = self._seen(self._searched)
        return make_strategy(units, kept, sparsity, model, found, seed, granularity=granularity, seen=seen)

    def _seen(self, strategy: Json | None) -> Seen:
        """What a strategy has seen, and the windows drawn so far."""
        drawn = [seen_of_sample(role, drawn.record()) for role, drawn in self._samples.items()]
        return union(seen_by(strategy) if strategy else [], drawn)

    def _search(self, job: Job) -> list[int]:
        """Search with the command line's options, on a copy of the model that the episode engine may reorder."""
        from sparsitysolver.search.solve import solve  # the engines of a search, which few methods run
        from sparsitysolver.stages.reward import reward_of

        loaded = open_model(self.args)
        settings = _search_settings(self.args, self.row)
        reward = reward_of(self.args, settings, loaded)
        out = Path(f"{self.args.out}.strategy.json")
        self._searched = solve(loaded, job.statistics, self._sample(CALIBRATION).record(), reward, settings, out)
        out.with_suffix(".checkpoint").unlink(missing_ok=True)
        return kept_counts(self._searched)

    def record(self, strategy: Json | None, outcome: Outcome | None) -> Json:
        """What a cell will say of this pruning; without an outcome it is a skipped one."""
        samples = {name: drawn.record() for name, drawn in self._samples.items()}
        return {
            "status": "ok" if outcome else "skipped",
            "model": model_record(self.loaded),
            "method": self.row.key,
            "label": self.row.label,
            "sparsity": 0.0 if self.row.key == "dense" else self.args.sparsity,
            "seed": self.args.seed_index,
            "seeds": {"job": self.args.seed},
            "criterion": self.job.criterion if strategy else None,
            **({"pattern": str(self.job.pattern)} if self.job.pattern else {}),
            "calibration": samples.get(CALIBRATION) or (strategy or {}).get("found", {}).get("calibration"),
            "reconstruction": samples.get(RECONSTRUCTION),
            "strategy": identity(strategy) if strategy else None,
            "seen": self._seen(strategy),
            "facts": outcome.facts if outcome else {},
            **({"warnings": self._warnings} if self._warnings else {}),
        }


def write(made: Pruning, out: str | Path, form: str, keep: bool = True) -> None:
    """Write a pruned model's folder; it gets its name when it was loaded back and found equal to what was pruned.

    Without ``keep`` the model's memory is given back before another one is loaded.
    """
    loaded, record, outcome, _ = made
    expected = Behaviour.of(loaded.model)
    with atomic_folder(out, replace=False) as folder:
        if form == HUB:
            write_hub(loaded.model, loaded.tokenizer, outcome.structure, record, folder)
        elif form == PADDED:
            setattr(loaded.model.config, CONFIG_FIELD, outcome.structure)
            save_padded(loaded.model, loaded.tokenizer, folder)
        else:
            save_pruned(loaded.model, loaded.tokenizer, outcome.structure, folder)
        write_json(folder / PRUNING_RECORD, record)
        if not keep:
            release(loaded.model)
        check_saved(folder, expected, loaded.device, form)
