"""Which source files decide a stage's result: its own, and all it imports from this project (no torch)."""

import ast
import functools
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from sparsitysolver import ROOT
from sparsitysolver.config.registry import is_zero_shot, method, methods_table
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.search.algorithms import ALGORITHMS, DRIVEN, module_of

# Modules that cannot change a result: messages, times, locks, names of things, the command line itself.
_NEUTRAL_NAMES = "cli preload errors provenance devices sources config.grid file_hashes model_files chat.address"
NEUTRAL = frozenset(f"sparsitysolver.{name}" for name in _NEUTRAL_NAMES.split())

STAMPS = Path("results") / ".code"  # beside what was made with that code

# What only zero-shot tasks need: editing it must not plan perplexity anew.
_TASK_CODE = (
    "sparsitysolver.data.items",
    "sparsitysolver.data.item_schemas",
    "sparsitysolver.data.harness",
    "sparsitysolver.evaluation.zero_shot",
    "sparsitysolver.evaluation.choices",
    "sparsitysolver.search.task_reward",
)

# What only searches driven by a chat model need.
_CHAT_CODE = ("sparsitysolver.chat", "sparsitysolver.stages.driver", "sparsitysolver.stages.chat_options")


@functools.cache
def source_files(module: str, without: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Files of a module and of its imports within the project, transitively, relative to the repository.

    A package's templates belong to it.

    Args:
        module: dotted name, e.g. ``sparsitysolver.stages.prune`` or ``baselines.flap``.
        without: packages that are left out although imported, because this use of the module never enters them.
    """
    seen: dict[str, Path] = {}
    queue = [module]
    while queue:
        name = queue.pop()
        if name in seen or name in NEUTRAL or any(name == w or name.startswith(f"{w}.") for w in without):
            continue
        path = _file(name)
        if path is None:
            continue
        seen[name] = path
        queue.extend(_imports(path))
    templates = (file for path in seen.values() if path.name == "__init__.py" for file in path.parent.glob("*.j2"))
    return tuple(sorted(str(path.relative_to(ROOT)) for path in (*seen.values(), *templates)))


@functools.cache
def prune_code(key: str) -> tuple[str, ...]:
    """Source files that decide a method's pruning: the stage without the search, allocator and pruner."""
    row = method(key)
    modules = ["sparsitysolver.stages.prune", *(f"baselines.{name}" for name in (row.allocator, row.pruner) if name)]
    without = ("sparsitysolver.search", "sparsitysolver.stages.reward", *_TASK_CODE)
    return tuple(sorted({file for module in modules for file in source_files(module, without=without)}))


def stage_code(stage: str, task: str) -> tuple[str, ...]:
    """Source files of a stage; those of zero-shot tasks only where one is at work."""
    return source_files(f"sparsitysolver.stages.{stage}", without=() if is_zero_shot(task) else _TASK_CODE)


@functools.cache
def search_code(algorithm: str, task: str) -> tuple[str, ...]:
    """Source files of a search: the stage's, and the algorithm's, which it imports by name."""
    without = (*(() if is_zero_shot(task) else _TASK_CODE), *(() if algorithm in DRIVEN else _CHAT_CODE))
    modules = ("sparsitysolver.stages.search", module_of(algorithm))
    return tuple(sorted({file for module in modules for file in source_files(module, without=without)}))


def code_sha256(files: tuple[str, ...]) -> str:
    """Hash over the names and contents of source files."""
    return hashlib.sha256("".join(f"{name} {_sha256(name)}\n" for name in files).encode()).hexdigest()


@functools.cache
def stamp(files: tuple[str, ...]) -> str:
    """An empty file that stands for the content of source files: what a rule declares of its code.

    Its name is a hash over them, so an edit is another input, and taking it back is the old one again, whatever the
    times of files say. One input in place of forty keeps Snakemake quick.
    """
    path = STAMPS / code_sha256(files)[:16]
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return str(path)


def make_stamps(tasks: Iterable[str], others: Iterable[str]) -> None:
    """Make the stamps of everything that jobs may declare by their wildcards, before jobs are planned.

    Snakemake lists a folder once and then takes what was not in it for missing.

    Args:
        tasks: of the grid; one of each kind is enough, since stages differ by kind only.
        others: dotted names of modules that rules declare by a wildcard.
    """
    kinds = {is_zero_shot(task): task for task in tasks}.values()
    of_stages = (stage_code(stage, task) for stage in ("sample", "evaluate") for task in kinds)
    of_searches = (search_code(algorithm, task) for algorithm in ALGORITHMS for task in kinds)
    for files in (*of_stages, *of_searches, *map(prune_code, methods_table()), *map(source_files, others)):
        stamp(files)


def project_file(name: str) -> str:
    """A file of the project as seen from the working directory, which ``snakemake --directory`` may put anywhere.

    Relative, so that a project and its results are moved together without making anything anew.
    """
    path = os.path.relpath(ROOT / name)
    if set("{}") & set(path.replace(name, "")):
        raise SparsitySolverError(
            f"the project lies in {ROOT}, and Snakemake takes braces in a path for wildcards: with --directory the "
            "folders above it need names without { and }."
        )
    return path


@functools.cache
def _sha256(name: str) -> str:
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


def _file(module: str) -> Path | None:
    base = ROOT / module.replace(".", "/")
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file() and module.split(".")[0] in ("sparsitysolver", "baselines", "figures"):
            return candidate
    return None


@functools.cache
def _imports(path: Path) -> tuple[str, ...]:
    """Dotted names that a file imports, wherever in it; ``from a import b`` counts as ``a`` and ``a.b``."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)
