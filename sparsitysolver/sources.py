"""Which source files decide a stage's result: its own, and all it imports from this project (no torch)."""

import ast
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sparsitysolver import ROOT
from sparsitysolver.config.registry import is_zero_shot, method
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.search.algorithms import DRIVEN, module_of

# Modules that cannot change a result: messages, times, locks, names of things, the command line itself.
_NEUTRAL_NAMES = (
    "cli options preload errors provenance devices sources config.grid file_hashes model_files config.chat_address"
)
_NEUTRAL_NAMES += " records.contracts"  # what records must hold: a wrong one is refused, a right one stays as it is
NEUTRAL = frozenset(f"sparsitysolver.{name}" for name in _NEUTRAL_NAMES.split())

# What only zero-shot tasks need: editing it must not plan perplexity anew.
_TASK_CODE = (
    "sparsitysolver.data.items",
    "sparsitysolver.data.harness",
    "sparsitysolver.evaluation.zero_shot",
    "sparsitysolver.evaluation.choices",
    "sparsitysolver.search.task_reward",
)

# Packages whose modules are found by the names of their files: what uses one of them may use all.
_FOUND_BY_NAME = ("sparsitysolver.models.families",)

# What only searches driven by a chat model need.
_CHAT_CODE = ("sparsitysolver.chat", "sparsitysolver.stages.driver")


@functools.cache
def source_files(module: str, without: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Files of a module and of its imports within the project, transitively, relative to the repository.

    A package's templates and data belong to it.

    Args:
        module: dotted name, e.g. ``sparsitysolver.stages.prune`` or ``baselines.flap``.
        without: packages that are left out although imported, because this use of the module never enters them.
    """
    seen: dict[str, Path] = {}
    data: set[Path] = set()  # beside a package's modules
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
        if path.name == "__init__.py":
            data.update(file for ending in ("yaml", "j2") for file in path.parent.glob(f"*.{ending}"))
        if name in _FOUND_BY_NAME:
            queue.extend(f"{name}.{file.stem}" for file in path.parent.glob("[!_]*.py"))
    return tuple(sorted(str(path.relative_to(ROOT)) for path in (*seen.values(), *data)))


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


def cell_code(key: str, task: str) -> tuple[str, ...]:
    """Source files of a cell that is pruned and evaluated in one job."""
    return tuple(sorted({"sparsitysolver/stages/cell.py", *prune_code(key), *stage_code("evaluate", task)}))


@functools.cache
def search_code(algorithm: str, task: str) -> tuple[str, ...]:
    """Source files of a search: the stage's, and the algorithm's, which it imports by name."""
    without = (*(() if is_zero_shot(task) else _TASK_CODE), *(() if algorithm in DRIVEN else _CHAT_CODE))
    modules = ("sparsitysolver.stages.search", module_of(algorithm))
    return tuple(sorted({file for module in modules for file in source_files(module, without=without)}))


@functools.cache
def code_sha256(files: tuple[str, ...]) -> str:
    """Hash over the names and contents of source files."""
    return hashlib.sha256("".join(f"{name} {_sha256(name)}\n" for name in files).encode()).hexdigest()


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


@functools.cache
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
    for node in _statements(ast.parse(path.read_text()).body):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


def _statements(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All statements of a file, however deep: a tenth of its nodes, which is what makes planning quick."""
    for node in nodes:
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, part, ()))
