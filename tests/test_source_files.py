"""The source files that a rule declares are those that its stage really loads."""

import ast
import subprocess
import sys

import pytest

from sparsitysolver import ROOT, sources
from sparsitysolver.plans import documents
from sparsitysolver.plans.arena import Arena
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.grid import Grid
from sparsitysolver.sources import NEUTRAL, source_files

# Imports one stage after the other, each as if it were the first; a line of module names for each.
LOADED = """
import importlib, sys
for stage in sys.argv[1:]:
    for name in [name for name in sys.modules if name.split(".")[0] in ("sparsitysolver", "baselines")]:
        del sys.modules[name]
    importlib.import_module(stage)
    print(*(name for name in sys.modules if name.split(".")[0] in ("sparsitysolver", "baselines")))
"""
NAMES = "sample calibrate search prune evaluate cell inference reconstruction_study transfer_study arena_study"
STAGES = [f"sparsitysolver.stages.{name}" for name in NAMES.split()]


def only_docstring(path):
    """Whether a file cannot change any result."""
    return path.name == "__init__.py" and all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)


def path_of(module):
    base = ROOT / module.replace(".", "/")
    return base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"


@pytest.fixture(scope="module")
def loaded():
    """Project modules that each stage loads."""
    command = [sys.executable, "-c", LOADED, *STAGES]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(zip(STAGES, (line.split() for line in lines), strict=True))


@pytest.mark.parametrize("stage", STAGES)
def test_every_module_that_a_stage_loads_is_declared(stage, loaded):
    assert stage in loaded[stage]
    declared = set(source_files(stage))
    paths = {name: path_of(name) for name in loaded[stage] if name not in NEUTRAL}
    missing = [name for name, path in paths.items() if str(path.relative_to(ROOT)) not in declared]
    assert [name for name in missing if not only_docstring(paths[name])] == []


PLOTS = "sparsitysolver/reporting/plots"


@pytest.mark.parametrize(
    ("module", "without", "there", "not_there"),
    [
        (
            "sparsitysolver.stages.evaluate",
            (),
            ["stages/evaluate", "stages/common", "evaluation/perplexity", "data/windows", "models/families/opt"],
            ("baselines/", "sparsitysolver/search/", "sparsitysolver/cli.py", "sparsitysolver/errors.py"),
        ),
        ("sparsitysolver.stages.prune", (), ("search/solve", "pruning/budget", "stages/prune"), ()),
        (
            "sparsitysolver.stages.prune",
            ("sparsitysolver.search",),
            ("stages/prune", "pruning/scores"),
            ("sparsitysolver/search/solve.py", "sparsitysolver/pruning/budget.py"),
        ),
        (
            "figures.figure6",
            (),
            ("reporting/plots/curves", "reporting/plots/style"),
            ("figures/figure5.py", f"{PLOTS}/strategies.py"),
        ),
    ],
)
def test_imports_are_followed_wherever_they_stand_and_nothing_else_is_declared(module, without, there, not_there):
    files = source_files(module, without=without)
    assert list(files) == sorted(set(files)) and all((ROOT / path).is_file() for path in files)
    assert {f"{module.replace('.', '/')}.py", *(f"sparsitysolver/{name}.py" for name in there)} <= set(files)
    assert not [path for path in files if path.startswith(tuple(not_there))]


def test_unknown_modules_have_no_files():
    assert source_files("torch") == source_files("sparsitysolver.nothing") == ()


def test_a_hash_stands_for_content(tmp_path, monkeypatch):
    """Another content is another hash, the old content the old one; other files change nothing."""
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(name)

    def code(*files):
        sources.code_sha256.cache_clear()
        sources._sha256.cache_clear()
        return sources.code_sha256(files)

    first, both = code("a.py"), code("a.py", "b.py")
    (tmp_path / "b.py").write_text("edited")
    assert code("a.py") == first != code("a.py", "b.py") != both
    (tmp_path / "a.py").write_text("edited")
    assert code("a.py") != first
    (tmp_path / "a.py").write_text("a.py")
    assert code("a.py") == first
    sources.code_sha256.cache_clear()
    sources._sha256.cache_clear()


def test_modules_that_are_left_out_are_there():
    """A module that has moved would count again, and plan everything anew at an edit."""
    for name in (*NEUTRAL, *sources._TASK_CODE, *sources._CHAT_CODE, *sources._FOUND_BY_NAME):
        assert sources._file(name) is not None, name


def test_templates_and_data_of_a_package_belong_to_what_reads_it():
    page = source_files("sparsitysolver.reporting.pages.paper_tables")
    assert "sparsitysolver/reporting/pages/templates/paper_tables.md.j2" in page
    assert "sparsitysolver/data/minilang/words.yaml" in source_files("sparsitysolver.stages.evaluate")


def test_a_document_is_decided_by_the_code_of_its_command(monkeypatch):
    """Of its script where that draws a figure; what Snakemake itself writes is decided by none of this project's."""
    artefacts, asked = Artefacts(Grid({})), []
    monkeypatch.setattr(documents, "source_files", lambda module: asked.append(module) or (module,))
    monkeypatch.setattr(documents, "code_sha256", lambda files: files)
    wildcards = {"kind": "curves", "figure": "figure6", "table": "table2"}
    made = documents.documents(artefacts, Arena(artefacts), {})
    code = {one.name: one.code_hash(wildcards) for one in made}
    assert (code["figure"], code["html_report"]) == (("figures.figure6",), ())
    assert code["gather"] == ("sparsitysolver.reporting.collected.gather",)
    assert code["regression"] == ("sparsitysolver.reporting.regression.check",)
    assert len(asked) == len(made) - 1 and all(source_files(module) for module in asked)
