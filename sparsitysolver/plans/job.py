"""One type for every job on a model: what it reads, how it is asked for, and what decides what it makes (no torch).

A job's file lies under a content key over all that decides it: model, text, method row, settings, seeds. So a changed
setting is another path, switching grids back and forth evaluates nothing twice, and two grids never mix. Source files
are not in the keys: a hash of them is a parameter of every rule.
"""

import functools
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparsitysolver.plans.grid import RESULTS
from sparsitysolver.records.files import content_key


@dataclass(frozen=True)
class Stage:
    """A kind of job: one rule of Snakemake, one command of ``sparsitysolver``."""

    name: str
    command: str
    folder: str  # of its files below results, with the axes of its jobs as wildcards
    suffixes: tuple[str, ...] = (".json",)  # of its files; the first is what others read
    loads_model: bool = True  # else a job needs the tokenizer alone
    alone: bool = False  # times are its result, and any other job would be measured with them
    reads_text: bool = True  # or items: what a BOS may stand before

    @property
    def patterns(self) -> list[str]:
        """Paths of its files, with wildcards."""
        return [f"{RESULTS}/{self.folder}/{{key}}{suffix}" for suffix in self.suffixes]


_FOUND = (".json", ".curve.csv")
SAMPLE = Stage("sample", "sample", "calibration/{model}/{draw}", (".npy", ".npy.json"), loads_model=False)
CALIBRATE = Stage("calibrate", "calibrate", "statistics/{model}/{granularity}/{draw}", (".safetensors",))
PREFLIGHT = Stage("preflight", "preflight", "preflight/{model}")
SEARCH = Stage("search", "search", "strategies/{model}/{method}/{sparsity}/{seed}/{target}", _FOUND)
PRUNE = Stage("prune", "prune", "pruned/{model}/{method}/{sparsity}/{seed}/{target}", ("",))
EVALUATE = Stage("evaluate", "evaluate", "cells/{model}/{method}/{sparsity}/{seed}/{task}")
INFERENCE = Stage("inference", "bench inference", "inference/{model}", alone=True, reads_text=False)
SELF_PRUNER = Stage(
    "self_pruner_inference", "bench inference", "inference/self_pruner/{model}", alone=True, reads_text=False
)
RECONSTRUCTION = Stage("reconstruction_study", "study reconstruction", "reconstruction/{model}/{sparsity}/{seed}")
TRANSFER = Stage("transfer", "study transfer", "transfer/{model}")
_PROBLEM = "{model}/{granularity}/{sparsity}/{seed}"
ARENA_SEARCH = Stage("arena_search", "search", f"arena/strategies/{_PROBLEM}/{{entrant}}", _FOUND)
ARENA_SCORE = Stage("arena_score", "study arena", f"arena/scores/{_PROBLEM}")


@dataclass(frozen=True, eq=False)
class Job:
    """One job of a stage.

    Attributes:
        axes: the wildcards of its path, of which ``model`` is one.
        decided_by: all that decides what it makes.
        code: source files that decide it, too.
        inputs: files that it reads, by the option that names them. A list stands after MODEL without an option,
            ``model`` in place of MODEL, and of ``beside`` the command is not told.
        options: further words of its command, quoted.
        tokens: how many go through the model, from which its time is estimated.
        gated: whether it waits until the model's dense perplexity was found to be the published one.
        command: where it is not its stage's.
    """

    stage: Stage
    axes: Mapping[str, str]
    decided_by: Sequence[Any]
    code: tuple[str, ...]
    inputs: Mapping[str, str | list[str]] = field(default_factory=dict)
    options: str = ""
    tokens: int = 0
    gated: bool = False
    command: str = ""

    @functools.cached_property
    def key(self) -> str:
        """Content key of what it makes."""
        return content_key(list(self.decided_by))

    @property
    def path(self) -> str:
        """The file it makes; further ones lie beside it."""
        return self.stage.patterns[0].format(**self.axes, key=self.key)

    def words(self, model: str, common: str) -> str:
        """Its command, quoted, with MODEL as the command line takes it and the options of every job on the model."""
        named = {k: v for k, v in self.inputs.items() if isinstance(v, str) and k not in ("model", "beside")}
        lists = [path for files in self.inputs.values() if isinstance(files, list) for path in files]
        given = shlex.join([self.inputs.get("model", model), *lists])
        out = as_options(named | {"out": self.path})
        words = [self.command or self.stage.command, given, common, self.options, out]
        return f"sparsitysolver {' '.join(filter(None, words))}"


def as_options(settings: Mapping[str, Any]) -> str:
    """Settings as options of a command, quoted: ``--reward-windows 8``."""
    return " ".join(f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in settings.items())
