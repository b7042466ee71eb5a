"""The DAG: lint, plans, and one whole run on a bundled model with what has to hold after it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from sparsitysolver.devices import gpus_here
from sparsitysolver.plans.artefacts import Artefacts
from sparsitysolver.plans.documents import Document
from sparsitysolver.plans.grid import Cell, Grid
from sparsitysolver.plans.job import TRANSFER, Job

ROOT = Path(__file__).resolve().parents[1]


def snakemake(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run Snakemake in a checkout, with that checkout's own package."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SPARSITYSOLVER", "SNAKEMAKE"))}
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env=clean | {"PYTHONPATH": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def planned(folder: Path, *arguments: str) -> str:
    """Output of a dry run that must succeed."""
    done = snakemake(folder, "-n", "--cores", "2", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def planned_rules(plan: str, wildcard: str = "") -> set[str]:
    """Names of the rules in a plan, or the values of one of their wildcards as ``rule wildcard``."""
    found = re.findall(r"^rule (\w+):$|^    wildcards: (.*)$", plan, re.M)
    rules, values, rule = set(), set(), ""
    for name, wildcards in found:
        rule = name or rule
        rules.add(rule)
        values |= {f"{rule} {value}" for value in re.findall(rf"\b{wildcard}=([^,]*)", wildcards) if wildcard}
    return values if wildcard else rules


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files."""
    folder = tmp_path_factory.mktemp("checkout")
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


CONFIG = {"models": "opt-tiny", "episodes": 15}
ON_TASK = Artefacts(Grid(CONFIG)).evaluate(Cell("opt-tiny", "flap", "0.2", "0", "mini_boolq")).path  # by a folder
SMALL = ("results/table2.csv", ON_TASK, "--config", *(f"{name}={value}" for name, value in CONFIG.items()))


@pytest.fixture(scope="module")
def finished(checkout: Path) -> Path:
    """The checkout after Table 2 of one bundled model was made with a small search."""
    done = snakemake(checkout, "--cores", "2", *SMALL)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return checkout


def test_jobs_of_a_machine_without_gpus_ask_for_none_and_run_side_by_side(checkout: Path) -> None:
    """Where torch can use no GPU, as by this variable: no GPU, one core and one thread each of a small model's jobs."""
    done = snakemake(checkout, "-n", "-p", "--cores", "2", "results/table2.csv", CUDA_VISIBLE_DEVICES="")
    plan = done.stdout + done.stderr
    assert set(re.findall(r"resources: .*gpu=(\d)", plan)) == {"0"}
    assert set(re.findall(r"sparsitysolver (?:search|cell|evaluate) .*?(--threads .*?) --dtype", plan)) == {
        "--threads 1 --device cpu"
    }
    assert "threads: " not in plan  # of Snakemake, which names only more than one


@pytest.mark.parametrize("target", ["inference_figure14.csv", "self_pruner.csv"])
def test_how_inference_is_measured_reaches_its_jobs(checkout: Path, target: str) -> None:
    plan = planned(checkout, f"results/{target}", "-p", "--config", "models=opt-tiny", "inference_batch=8")
    (job,) = re.findall("sparsitysolver bench inference.*", plan)
    assert " --batch 8 --rounds 6 --out results/inference/" in job


def test_whatever_a_command_takes_from_a_rule_is_quoted() -> None:
    """All but commands, which are several words and quoted where they are put together."""
    commands = [
        block
        for path in sorted((ROOT / "rules").glob("*.smk"))
        for block in re.findall(r"^ *shell:\n((?: {8,}.*\n)+)", path.read_text(), re.M)
    ]
    assert len(commands) == 3
    fields = {field for block in commands for field in re.findall(r"\{([^}]+)\}", block)}
    assert {field for field in fields if not field.endswith(":q")} == {"params.command"}


def test_commands_hold_odd_names_as_they_are() -> None:
    name = "it's $HOME;`id` {x} ü"
    job = Job(TRANSFER, {"model": name}, [1], (), inputs={"stats": name, "strategies": [name, "b c"]})
    words = shlex.split(job.words(f"assets:{name}", "--threads 1"))
    assert words[:6] == ["sparsitysolver", "study", "transfer", f"assets:{name}", name, "b c"]
    assert words[6:] == ["--threads", "1", "--stats", name, "--out", f"results/transfer/{name}/{job.key}.json"]
    command = "sparsitysolver report {kind} {lists} --models {models} --out o/{kind}\ncp {out} y"
    document = Document("x", ["x.csv"], command, settings={"models": lambda w: [name, w["kind"]]})
    assert shlex.split(document.words({"kind": "a b"}, {"lists": [name]}, "x.csv")) == [
        *("sparsitysolver", "report", "a b", name),
        *("--models", name, "a b", "--out", "o/a b", "&&", "cp", "x.csv", "y"),
    ]


def test_lint_is_clean(checkout: Path) -> None:
    done = snakemake(checkout, "--lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_paper_grid_plans_without_network_or_assets(checkout: Path) -> None:
    plan = planned(checkout, "results/table2.csv", "--config", "grid=paper", "device=cuda")
    models = planned_rules(plan, "model")
    assert {model.split()[1] for model in models if model.startswith("evaluate ")} == {
        *("opt-125m", "opt-1.3b", "opt-2.7b", "opt-6.7b", "opt-13b"),
        *("llama-2-7b", "llama-2-13b", "llama-2-70b", "mistral-7b"),
    }
    assert re.search(r"^rule search:\n(?:    .*\n)*?    resources: .*gpu=1, runtime=\d+, mem_mb=\d+", plan, re.M)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("grid=papr", "unknown grid 'papr'; did you mean paper"),
        ("models=opt-tniy", "unknown model 'opt-tniy'; did you mean opt-tiny"),
        ("grid=local", "assets=DIR"),
        ("seeds=x", "seed indices"),
    ],
)
def test_wrong_config_is_one_line_and_status_2(checkout: Path, config: str, words: str) -> None:
    done = snakemake(checkout, "-n", "--cores", "1", "results/table2.csv", "--config", config)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.dag
def test_table_has_every_row_and_finite_numbers(finished: Path) -> None:
    table = pd.read_csv(finished / "results/table2.csv")
    assert list(table["Method"]) == ["Dense", "SliceGPT", "FLAP", "SVD-LLM", "Ours", "Ours (Recon)"]
    values = table["opt-tiny"].astype(float)
    assert (values > 1).all()
    assert (values >= values[0]).all()
    cells = pd.read_csv(finished / "results/cells_table2.csv")
    leaky = cells.set_index("method")["calibrated_on_eval_domain"] == "yes"
    assert not leaky["dense"]
    assert leaky.drop("dense").all()


def planned_after_editing(folder: Path, name: str) -> str:
    """The plan while a source file is another one."""
    source = folder / name
    text = source.read_text()
    try:
        source.write_text(text + "\n# edited\n")
        return planned(folder, *SMALL)
    finally:
        source.write_text(text)


@pytest.mark.dag
def test_what_an_edit_decides_is_planned_anew_and_nothing_else(finished: Path) -> None:
    """Also cells whose pruned model is gone, being temporary. An edit that was taken back plans nothing."""
    assert not list(finished.glob("results/pruned/opt-tiny/*/*/*/*/*"))
    plan = planned_after_editing(finished, "baselines/flap.py")
    assert planned_rules(plan, "method") == {"prune flap", "evaluate flap"}
    assert planned_rules(plan, "task") == {"evaluate mini", "evaluate mini_boolq"}
    searched = {"search sparsitysolver", "evaluate sparsitysolver", "evaluate sparsitysolver_recon"}
    plan = planned_after_editing(finished, "sparsitysolver/search/algorithms/ppo.py")
    assert planned_rules(plan, "method") == searched
    assert "Nothing to be done" in planned(finished, *SMALL)
    plan = planned(finished, "results/table2.csv", "--config", "models=opt-tiny", "episodes=30")
    assert planned_rules(plan, "method") == searched


@pytest.mark.dag
def test_report_stands_alone_and_has_captions_and_categories(finished: Path) -> None:
    config = SMALL[2:]
    wanted = ("results/pages/table2.html", "results/pages/audit.html", "results/table2.csv")
    done = snakemake(finished, "--cores", "2", *wanted, *config)
    assert done.returncode == 0, done.stderr[-3000:]
    done = snakemake(finished, *wanted, "--report", "results/some.html", "--nolock", *config)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Missing metadata" not in done.stderr
    page = (finished / "results/some.html").read_text()
    assert not re.findall(r"(?:src|href)=[\"']https?:", page)  # nothing is fetched
    results = json.loads(re.search(r"var results = (\{.*?\});\s*</script>", page, re.DOTALL)[1])
    assert set(results) == set(wanted)
    assert "structured pruning at 20% sparsity, on grid tiny" in results[wanted[0]]["caption"]
    assert "Arithmetic checks" in results[wanted[1]]["caption"]
    assert results[wanted[2]]["labels"] == {"page": "table2", "as": "CSV"}
    assert "episodes=15" in page  # the settings of the run
    categories = json.loads(re.search(r"var categories = (\{.*?\});", page)[1])
    assert set(categories) == {"Tables", "Claims and audit"}


@pytest.mark.dag
def test_report_is_asked_for_with_the_settings_of_the_run(finished: Path) -> None:
    plan = planned(finished, "-p", "results/report.html", "--config", "models=opt-tiny", "episodes=15", "seeds=[0, 1]")
    (command,) = re.findall(r"snakemake -s Snakefile .* --report results/report\.html .*", plan)
    device = "cuda" if gpus_here() else "cpu"
    settings = f'\'device="{device}"\' episodes=15 \'grid="tiny"\' \'models="opt-tiny"\' \'seeds=["0", "1"]\''
    assert f"--nolock --config {settings} ) > logs/report.log" in command
    for document in ("results/table7.csv", "figures/figure5.png", "results/pages/claims.html"):
        assert document in command
