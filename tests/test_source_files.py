"""The source files that a rule declares are those that its stage really loads."""

import ast
import subprocess
import sys

import pytest

from sparsitysolver import ROOT
from sparsitysolver.sources import NEUTRAL, source_files

LOADED = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*(name for name in sys.modules if name.split(".")[0] in ("sparsitysolver", "baselines")))
"""


def only_docstring(path):
    """Whether a file cannot change any result."""
    return path.name == "__init__.py" and all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)


def path_of(module):
    base = ROOT / module.replace(".", "/")
    return base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"


@pytest.mark.parametrize("stage", ["sample", "calibrate", "search", "prune", "evaluate"])
def test_every_module_that_a_stage_loads_is_declared(stage):
    module = f"sparsitysolver.stages.{stage}"
    command = [sys.executable, "-c", LOADED, module]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert module in loaded
    declared = set(source_files(module))
    missing = [name for name in loaded if name not in NEUTRAL and str(path_of(name).relative_to(ROOT)) not in declared]
    assert [name for name in missing if not only_docstring(path_of(name))] == []


def test_imports_are_followed_wherever_they_stand():
    files = source_files("sparsitysolver.stages.evaluate")
    assert files == sorted(set(files))
    for path in ("stages/evaluate", "stages/common", "evaluation/perplexity", "data/windows", "models/opt"):
        assert f"sparsitysolver/{path}.py" in files, path
    assert all((ROOT / path).is_file() for path in files)


def test_what_a_stage_does_not_use_is_not_declared():
    files = source_files("sparsitysolver.stages.evaluate")
    assert not [path for path in files if path.startswith(("baselines/", "sparsitysolver/search/"))]
    assert "sparsitysolver/cli.py" not in files and "sparsitysolver/errors.py" not in files


def test_packages_can_be_left_out():
    whole = source_files("sparsitysolver.stages.prune")
    part = source_files("sparsitysolver.stages.prune", without=("sparsitysolver.search",))
    assert "sparsitysolver/search/ppo.py" in whole
    assert set(part) == {path for path in whole if not path.startswith("sparsitysolver/search/")}


def test_unknown_modules_have_no_files():
    assert source_files("torch") == source_files("sparsitysolver.nothing") == []
