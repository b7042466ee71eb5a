"""Continuous integration: the workflows ask for make targets and files that exist, and pin their actions."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def workflow(name: str) -> dict:
    return yaml.safe_load((ROOT / ".github/workflows" / name).read_text())


def steps(text: dict) -> list[tuple[dict, dict]]:
    """Every step with its job."""
    return [(job, step) for job in text["jobs"].values() for step in job["steps"]]


def make_targets(job: dict, step: dict) -> list[str]:
    """The targets that a step makes; those of a matrix spelled out."""
    matrix = job.get("strategy", {}).get("matrix", {})
    asked = re.findall(r"\bmake ((?:\$\{\{.*?\}\}|\S)+)", step.get("run", ""))
    return [one for name in asked for one in (matrix["target"] if "matrix.target" in name else [name])]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_targets_and_files_exist_actions_are_pinned_and_no_package_index_is_named(path):
    source = path.read_text()
    made = [target for job, step in steps(yaml.safe_load(source)) for target in make_targets(job, step)]
    assert made and set(made) <= TARGETS
    given = [step.get("with", {}) for _, step in steps(yaml.safe_load(source))]
    named = [line for each in given for line in each.get("cache-dependency-path", "").split()]
    named += re.findall(r"'(config/[^']+)'", source)
    assert len(named) >= 4
    assert [name for name in named if not (ROOT / name).is_file()] == []
    uses = [step["uses"] for _, step in steps(yaml.safe_load(source)) if "uses" in step]
    assert uses and all(re.fullmatch(r"actions/[a-z-]+@v\d+", action) for action in uses)
    assert "http" not in source
    versions = re.findall(r"3\.\d+", " ".join(each.get("python-version", "") for each in given))
    allowed = re.search(r'requires-python = ">=(3\.\d+)"', (ROOT / "pyproject.toml").read_text())
    assert allowed[1] in versions and set(versions) <= {"3.11", "3.13"}


def test_what_runs_when():
    on = workflow("ci.yml")[True]  # YAML 1.1 reads the key "on" as true
    assert set(on) == {"push", "pull_request"}
    on_push = [target for job, step in steps(workflow("ci.yml")) for target in make_targets(job, step)]
    assert on_push == ["lint", "test", "table2", "regression"] and workflow("ci.yml")["env"]["GRID"] == "tiny"
    assert (ROOT / "results/accepted/tiny.csv").is_file()
    nightly = workflow("nightly.yml")
    assert set(nightly[True]) == {"schedule", "workflow_dispatch"}
    grid = nightly[True]["workflow_dispatch"]["inputs"]["grid"]["default"]
    assert (ROOT / "config/grids" / f"{grid}.yaml").is_file() and f"'{grid}'" in nightly["env"]["GRID"]
    after = [step for _, step in steps(nightly) if step.get("if") == "always()"]
    assert len(after) == 2 and "results/regression/comparison.md" in after[0]["run"]
