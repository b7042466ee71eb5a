"""The package as it is installed: in no checkout, and without extras."""

import subprocess
from importlib import metadata

import pytest

from sparsitysolver import cli, provenance
from sparsitysolver.options import Command


@pytest.fixture
def own_repository(tmp_path):
    """Another project, with one commit."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@y"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    return tmp_path


def test_the_commit_is_never_that_of_the_project_around(own_repository, monkeypatch):
    within = own_repository / "site-packages"
    within.mkdir()
    found = []
    for root in (within, own_repository):
        monkeypatch.setattr(provenance, "ROOT", root)
        found.append(provenance.commit.__wrapped__())
    assert found[0] == "unknown" and len(found[1]) == 40


def test_what_is_not_installed_has_no_version(monkeypatch):
    version = metadata.version

    def without(name):
        if name == "lm-eval":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without)
    versions = provenance.provenance("cpu", 1, {})["versions"]
    assert "lm-eval" not in versions and versions["torch"] == version("torch")


def test_a_missing_package_is_told_with_its_extra(monkeypatch, capsys):
    def run_without(name):
        def run(*_):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

        monkeypatch.setattr(Command, "run", run)
        return cli.main(["report", "claims", "--results", "x", "--grid", "tiny", "--out", "y"])

    assert run_without("lm_eval.models") == 2
    assert "needs lm_eval, which is not installed: pip install 'sparsitysolver[bench]'" in capsys.readouterr().err
    assert run_without("matplotlib") == 2 and "sparsitysolver[report]" in capsys.readouterr().err
    with pytest.raises(ModuleNotFoundError):
        run_without("something_else")
