"""Algorithms by name: a file is an algorithm, says what it needs, and loads what it needs alone."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sparsitysolver import ROOT
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.columns import EPISODE
from sparsitysolver.search.algorithms import ALGORITHMS, DRIVEN, GREEDY_BY_DEFAULT, WALKING, module_of
from sparsitysolver.search.journal import CURVE
from sparsitysolver.sources import search_code

# The example of CONTRIBUTING.md, with a need of its own.
EXAMPLE = "".join(
    f"{line[1:]}\n"
    for line in re.search(r"\+\+\+ \S*climbing.py\n(.*?)\+\+\+", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)[
        1
    ].splitlines()
)
USE = """
import sys
from pathlib import Path
from sparsitysolver.search.algorithms import ALGORITHMS, GREEDY_BY_DEFAULT, algorithm, settings_of
assert not {"torch", "numpy"} & set(sys.modules)
assert "climbing" in ALGORITHMS and "climbing" in GREEDY_BY_DEFAULT
from search_cases import journal, problem
records = journal(Path(sys.argv[1]))
algorithm("climbing").run(problem(), records, 100, 0)
assert len(records.episodes) == 100 and records.best.reward > 1.05 * records.episodes[0].reward
assert settings_of("climbing") == {}
"""


def test_what_the_algorithms_need():
    assert {"amc", "amc_broadcast", "agmc"} == WALKING and {"self_pruner"} == DRIVEN
    assert WALKING | {"ppo"} == GREEDY_BY_DEFAULT and len(ALGORITHMS) == 13
    with pytest.raises(SparsitySolverError, match=r"unknown search algorithm 'pppo'; did you mean ppo\?"):
        module_of("pppo")


def test_a_file_is_all_that_a_new_algorithm_takes(tmp_path):
    for name in ("sparsitysolver", "baselines", "config"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "sparsitysolver/search/algorithms/climbing.py").write_text(EXAMPLE + 'BUDGET = "greedy"\n')
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT / "tests")])}
    subprocess.run([sys.executable, "-c", USE, str(tmp_path)], cwd=tmp_path, env=environment, check=True)


@pytest.mark.parametrize(
    ("modules", "left_out"),
    [
        ("search.settings stages.prune stages.search stages.bench stages.evaluate", "stable_baselines3"),
        ("stages.search search.algorithms.ppo", "sparsitysolver.chat.endpoint sparsitysolver.chat.conversation"),
        ("stages.search search.algorithms.ppo", "optuna cma"),
    ],
)
def test_what_a_module_does_not_load(modules, left_out):
    names = ", ".join(f"sparsitysolver.{name}" for name in modules.split())
    code = f"import sys, {names}\nfound = set({left_out.split()}) & set(sys.modules)\nassert not found, found\n"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_search_declares_its_own_algorithm_and_no_other_that_it_does_not_use(name):
    code = search_code(name, "mini")
    files = {Path(path).stem for path in code if path.startswith("sparsitysolver/search/")}
    used = {"fastforward": {"ppo"}, "self_pruner": {"evolution"}}.get(name, set())
    assert files & set(ALGORITHMS) == {name} | used
    assert {"solve", "journal", "problem"} <= files
    assert ("sparsitysolver/chat/prompt.j2" in code) == (name in DRIVEN)


def test_curves_have_the_columns_that_reports_read():
    assert tuple(CURVE) == EPISODE


def test_the_benchmark_of_proposals():
    """It counts the proposals behind the skipped ones, of an objective that is free and falls with what is removed."""
    spec = importlib.util.spec_from_file_location("proposals", ROOT / "benchmarks" / "proposals.py")
    proposals = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(proposals)
    row = proposals.measure("ppo", 4, episodes=31, skip=10)
    assert (row["algorithm"], row["units"], row["episodes"]) == ("ppo", 4, 20)
    assert 0 < row["seconds_per_proposal"] < 1 and 0 < row["processor_seconds_per_proposal"] < 1
    assert row["checkpoint_bytes"] > 100_000 and row["checkpoint_seconds"] > 0
    problem, objective = proposals.problem_of(4)
    full = [unit.size for unit in problem.units]
    assert problem.score(full) == (10, 1) and problem.score([*full[:3], 0]) == (13, 10 / 13)
    assert len(objective.asked) == 2
