"""Algorithms by name: a file is an algorithm, says what it needs, and loads what it needs alone."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from sparsitysolver import ROOT
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.search.algorithms import ALGORITHMS, DRIVEN, GREEDY_BY_DEFAULT, WALKING, module_of

# The example of CONTRIBUTING.md, with a need of its own.
EXAMPLE = re.search(r'```python\n("""Normal steps.*?)```', (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)[1]
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


def test_a_search_by_ppo_loads_no_library_of_another():
    code = (
        "import sys, sparsitysolver.stages.search, sparsitysolver.search.algorithms.ppo\n"
        "found = {'sparsitysolver.chat.endpoint', 'sparsitysolver.chat.conversation', 'tenacity', 'optuna', 'cma'}\n"
        "assert not found & set(sys.modules), found & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
