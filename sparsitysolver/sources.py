"""Which source files decide a stage's result: its own, and all it imports from this project (no torch)."""

import ast
import functools
import hashlib
import os
from pathlib import Path

from sparsitysolver import ROOT
from sparsitysolver.config.registry import is_zero_shot, method
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import file_sha256
from sparsitysolver.search.algorithms import DRIVEN, module_of


def _modules(names: str) -> tuple[str, ...]:
    return tuple(f"sparsitysolver.{name}" for name in names.split())


# Modules that cannot change a result: messages, times, locks, names of things, the command line itself, model cards,
# and contracts of records: a wrong one is refused, a right one stays as it is.
NEUTRAL = _modules(
    "cli options preload errors provenance devices sources plans.grid file_hashes model_files config.chat_address "
    "records.contracts hub.card hub.writing stages.card"
)
# What only zero-shot tasks need: editing it must not plan perplexity anew.
_TASK_CODE = _modules("data.items data.harness evaluation.zero_shot evaluation.choices search.task_reward")
_CHAT_CODE = _modules("chat stages.driver")  # what only searches driven by a chat model need
# Packages whose modules are found by the names of their files: what uses one of them may use all.
_FOUND_BY_NAME = _modules("models.families")

_PARTS = ("body", "orelse", "finalbody", "handlers", "cases")  # of a statement, where further statements stand
_sha256 = functools.cache(file_sha256)


@functools.cache
def source_files(*modules: str, without: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Files of modules and of their imports within the project, transitively, relative to the repository.

    A package's templates and data belong to it.

    Args:
        modules: dotted names, such as ``baselines.flap``.
        without: packages that are left out although imported, because this use of the modules never enters them.
    """
    seen: dict[str, Path] = {}
    data: set[Path] = set()  # beside a package's modules
    queue = list(modules)
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


def prune_code(key: str) -> tuple[str, ...]:
    """Source files that decide a method's pruning: the stage without the search, allocator and pruner."""
    row = method(key)
    modules = [f"baselines.{name}" for name in (row.allocator, row.pruner) if name]
    without = ("sparsitysolver.search", "sparsitysolver.stages.reward", *_TASK_CODE)
    return source_files("sparsitysolver.stages.prune", *modules, without=without)


def stage_code(stage: str, task: str) -> tuple[str, ...]:
    """Source files of a stage; those of zero-shot tasks only where one is at work."""
    return source_files(f"sparsitysolver.stages.{stage}", without=() if is_zero_shot(task) else _TASK_CODE)


def cell_code(key: str, task: str) -> tuple[str, ...]:
    """Source files of a cell that is pruned and evaluated in one job."""
    return tuple(sorted({"sparsitysolver/stages/cell.py", *prune_code(key), *stage_code("evaluate", task)}))


def search_code(algorithm: str, task: str) -> tuple[str, ...]:
    """Source files of a search: the stage's, and the algorithm's, which it imports by name."""
    without = (*(() if is_zero_shot(task) else _TASK_CODE), *(() if algorithm in DRIVEN else _CHAT_CODE))
    return source_files("sparsitysolver.stages.search", module_of(algorithm), without=without)


@functools.cache
def code_sha256(files: tuple[str, ...]) -> str:
    """Hash over the names and contents of source files."""
    return hashlib.sha256("".join(f"{name} {_sha256(ROOT / name)}\n" for name in files).encode()).hexdigest()


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
def _file(module: str) -> Path | None:
    base = ROOT / module.replace(".", "/")
    own = module.split(".")[0] in ("sparsitysolver", "baselines", "figures")
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if own and path.is_file()), None)


@functools.cache
def _imports(path: Path) -> tuple[str, ...]:
    """Dotted names that a file imports, wherever in it; ``from a import b`` counts as ``a`` and ``a.b``.

    Only statements are looked at, a tenth of the file's nodes: that is what makes planning quick.
    """
    names: list[str] = []
    nodes: list[ast.AST] = [ast.parse(path.read_text())]
    while nodes:
        node = nodes.pop()
        nodes += [one for part in _PARTS for one in getattr(node, part, ())]
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)
