"""Verdicts on claims: every one can hold and can fail; what is judged on which grid, what is refused and written."""

import subprocess
import sys

import pandas as pd
import pytest
from cell_factory import losses, make_cell, make_task_cell, text_cell
from claims_factory import results_for
from judged import FAILS, HOLDS, NOISE, NOT_COMPARABLE, NOT_RUN, UNEQUAL
from result_factory import OURS_BEATS_FLAP, claim_entry, climb, curve, speed, strategy, study, write_results

from sparsitysolver.cli import main
from sparsitysolver.config.registry import metric_of
from sparsitysolver.config.tables import DASH, TASKS, load_definition
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.reporting.claims.definition import load_claims
from sparsitysolver.reporting.claims.results import read_results
from sparsitysolver.reporting.claims.table import COLUMNS, claims_command, claims_frame, judge_claim
from sparsitysolver.reporting.pages.sections import claims_section

OURS, FLAP = "sparsitysolver_recon", "flap"
CLAIMS = load_claims()
COMPARING = [
    c for c in CLAIMS if c.test.kind == "paired" and c.test.measure != "parameters" and c.test.than != ("dense",)
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.key)
@pytest.mark.parametrize("verdict", [HOLDS, FAILS])
def test_results_decide(claim, verdict):
    found = judge_claim(claim, results_for(claim, holds=verdict is HOLDS))
    assert found.verdict is verdict, found
    assert found.models and found.effect is not None


@pytest.mark.parametrize("claim", COMPARING, ids=lambda claim: claim.key)
@pytest.mark.parametrize("holds", [True, False])
def test_what_removed_less_is_not_compared(claim, holds):
    found = judge_claim(claim, results_for(claim, holds, unequal=True))
    assert found.verdict is UNEQUAL and found.effect is None
    assert "unequal sparsity: " in found.note and " and " in found.note


@pytest.fixture
def judge(claims, collected):
    """The judgement of one claim on some cells."""

    def judged(cells, fields, grid="tiny"):
        (claim,) = claims(fields)
        return judge_claim(claim, read_results(collected(cells).parent, grid))

    return judged


def two(gap, model="opt-tiny"):
    """Ours and FLAP, whose loss is higher by a gap."""
    return [text_cell(OURS, losses(0, 0.01, seed=2), model), text_cell(FLAP, losses(gap, 0.01, seed=3), model)]


@pytest.mark.parametrize(("gap", "verdict"), [(0.1, HOLDS), (0.0, NOISE), (-0.1, FAILS)])
def test_inverted_predicate_flips_the_verdict(judge, gap, verdict):
    inverted = OURS_BEATS_FLAP | {"method": FLAP, "than": [OURS]}
    straight, turned = judge(two(gap), claim_entry()), judge(two(gap), claim_entry(inverted))
    assert straight.verdict is verdict
    assert turned.verdict is {HOLDS: FAILS, FAILS: HOLDS, NOISE: NOISE}[verdict]


def test_negated_claim_flips_the_verdict(claims, tmp_path):
    test = {"kind": "runs", "measure": "best_reward", "method": "ppo", "than": "amc"}
    write_results(tmp_path, curves=[curve("ppo", [1.0, 2.0]), curve("amc", [1.0, 1.5])])
    results = read_results(tmp_path, "tiny")
    straight, turned = claims(
        claim_entry(test, needs="figure6"), claim_entry(test, id="b", needs="figure6", negated=True)
    )
    found, opposite = judge_claim(straight, results), judge_claim(turned, results)
    assert (found.verdict, opposite.verdict) == (HOLDS, FAILS)
    assert opposite.effect == -found.effect


def test_claims_of_order_are_judged_by_analogy_and_those_about_a_model_need_it(judge):
    assert judge(two(0.1), claim_entry()).verdict is HOLDS
    about = claim_entry(models=["opt-125m"])
    other = judge(two(0.1), about)
    assert other.verdict is NOT_COMPARABLE and other.note == "about opt-125m, not on this grid"
    assert judge(two(0.1, "opt-125m"), about, "opt125m").verdict is HOLDS
    assert judge([make_cell("opt-125m", "dense")], about, "opt125m").verdict is NOT_RUN


def test_claim_about_models_or_families_leaves_the_others_out(judge):
    cells = two(0.1, "opt-125m") + two(-0.1, "llama-2-7b")
    cells = [c | {"model": c["model"] | {"family": c["model"]["name"].split("-")[0]}} for c in cells]
    assert judge(cells, claim_entry(), "paper").verdict is FAILS
    assert judge(cells, claim_entry(models=["opt-125m", "opt-13b"]), "paper").models == ("opt-125m",)
    assert judge(cells, claim_entry(families=["opt"]), "paper").verdict is HOLDS
    assert judge(cells, claim_entry(models="paper"), "paper").models == ("opt-125m", "llama-2-7b")
    assert judge(two(0.1), claim_entry(families=["mistral"]), "tiny").verdict is NOT_RUN


def test_empty_results_give_no_verdict_and_no_error(tmp_path):
    frame = claims_frame(CLAIMS, read_results(tmp_path, "tiny"))
    assert set(frame["verdict"]) == {"not run", "not comparable"}
    assert (frame.loc[frame["verdict"] == "not run", "effect"] == "").all()
    about = frame.set_index("id")["verdict"]
    assert about["slicegpt-leaves-6.1b"] == about["reward-in-1-2"] == "not comparable"
    assert about["middle-layers-keep-more"] == "not run"
    of_paper = claims_frame(CLAIMS, read_results(tmp_path, "paper"))
    assert set(of_paper["verdict"]) == {"not run"}


def published_cells():
    """Cells with the values that the paper prints, without samples; a dash is a skipped cell."""
    cells = {}
    for name in ("table1", "table2", "table3", "table4", "table5", "table6"):
        definition = load_definition(name)
        columns = [column for column in definition.published_columns if column != "average"]
        for row in definition.rows:
            for column in columns:
                cell = _published(definition, row, column)
                cells[cell["model"]["name"], cell["method"], cell["sparsity"], cell["task"]] = cell
    return list(cells.values())


def _published(definition, row, column):
    text = definition.published.loc[row.name, column]
    value = None if text == DASH else float(text)
    model, _, sparsity = column.partition("@")
    own = float(sparsity) if sparsity else definition.sparsities[0]
    axes = {"sparsity": 0.0 if row.method == "dense" else own}
    if definition.layout != TASKS:
        return make_cell(model, row.method, value, **axes)
    cell = make_task_cell(column, row.method, [1, 0], model="llama-7b", **axes)
    del cell["samples"]
    return cell | {"metrics": {metric_of(column): {"value": value / 100, "stderr": 0.01, "n": 100}}}


def test_papers_own_numbers_bear_its_claims_out_but_for_three(collected):
    """Two claims on the reused agent fail on OPT-1.3B; C4 and FLAP print one average, and FLAP's tasks sum to more."""
    results = read_results(collected(published_cells()).parent, "paper")
    judged = {c.key: judge_claim(c, results).verdict for c in CLAIMS if c.test.measure == "quality"}
    assert {key for key, verdict in judged.items() if verdict is FAILS} == {
        "reuse-beats-slicegpt",
        "reuse-beats-flap",
        "tasks-c4-beats-flap",
    }
    assert {key for key, verdict in judged.items() if verdict is NOT_RUN} == {
        *("pareto-beats-slicegpt", "pareto-beats-flap", "pareto-beats-svd-llm", "search-helps", "reconstruction-helps")
    }
    assert set(judged.values()) == {HOLDS, FAILS, NOT_RUN}


def test_results_of_another_grid_are_refused(collected, tmp_path):
    path = collected(two(0.1, "opt-125m"))
    with pytest.raises(SparsitySolverError, match=r"not of grid 'tiny': found opt-125m; the grid has opt-tiny, llama"):
        read_results(path.parent, "tiny")
    with pytest.raises(SparsitySolverError, match="unknown grid 'tinny'; did you mean tiny"):
        read_results(tmp_path, "tinny")
    assert read_results(path.parent, "local").models == ("opt-125m",)  # an assets folder has what it has


def test_broken_cells_are_named(collected):
    path = collected(two(0.1))
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    keys = frame.set_index("method")["cell"]
    frame.assign(fingerprint=["f1", "f2"]).to_csv(path, index=False)
    words = rf"'fingerprint' differs: 'f1' in opt-tiny, flap, 0.2, .*\(cell {keys[FLAP]} .*{keys[OURS]}"
    with pytest.raises(SparsitySolverError, match=words):
        read_results(path.parent, "tiny")
    for value, words in (
        ("nan", "is 'nan', and a finite number is needed"),
        ("inf", "is 'inf', and a finite number is needed"),
        ("", "is '', and a finite number is needed"),
    ):
        frame.assign(value=[value, "3.0"]).to_csv(path, index=False)
        with pytest.raises(SparsitySolverError, match=rf"cell {keys[FLAP]} .*{words}"):
            read_results(path.parent, "tiny")


def test_samples_that_are_not_finite_are_named(collected, monkeypatch):
    path = collected(two(0.1))
    broken = {"abc/ppl": [1.0, float("nan")]}
    monkeypatch.setattr("sparsitysolver.reporting.claims.results.read_samples", lambda _: broken)
    with pytest.raises(SparsitySolverError, match="samples of cell abc/ppl are not all finite"):
        read_results(path.parent, "tiny")


@pytest.fixture
def whole(collected):
    """A results folder with every file, in which some claims hold."""
    folder = collected(two(0.1)).parent
    hump = [[0.5, 0.6], [0.9, 0.8], [0.9, 0.7], [0.5, 0.4]]
    return write_results(
        folder,
        curves=[curve("ppo", climb(0.2, 1.0, 100, 300)), curve("amc", climb(0.2, 0.5, 290, 300))],
        strategies=[strategy("sparsitysolver", hump), strategy("owl", hump, sparsity=0.7)],
        inference=[speed("dense", 1, 1, 1), speed(OURS, 1.3, 1.2, 1.4)],
        reconstruction=[study({1: 30.0, 8: 28.0, 32: 27.0})],
    )


def test_command_line_writes_every_claim(whole, tmp_path):
    out = tmp_path / "claims.csv"
    assert main(["report", "claims", "--results", str(whole), "--grid", "tiny", "--out", str(out)]) == 0
    frame = pd.read_csv(out, dtype=str, keep_default_na=False)
    assert tuple(frame) == COLUMNS
    assert tuple(frame)[:8] == ("claim", "source", "grid", "verdict", "effect", "low", "high", "command")
    rows = frame.set_index("id")
    assert len(rows) == len(CLAIMS) and set(frame["grid"]) == {"tiny"}
    expected = {
        "recon-beats-flap": "holds",
        "recon-beats-slicegpt": "not run",
        "converges-faster-than-amc": "holds",
        "amc-does-not-converge": "holds",
        "middle-layers-keep-more": "holds",
        "pruned-decode-is-faster": "holds",
        "more-samples-help-mha": "holds",
        "more-samples-help-ffn": "not run",
        "converges-by-2000": "not comparable",
    }
    assert {key: rows.loc[key, "verdict"] for key in expected} == expected
    row = rows.loc["recon-beats-flap"]
    assert float(row["low"]) < float(row["effect"]) < float(row["high"])
    assert (row["unit"], row["n"], row["models"]) == ("% perplexity", "200", "opt-tiny")
    assert row["command"] == "snakemake --cores 2 results/table2.csv --config grid=tiny"
    assert rows.loc["amc-oscillates", "command"] == "snakemake --cores 2 figures/figure6.png --config grid=tiny"
    first = out.read_bytes()
    claims_command(whole, out, "tiny")
    assert out.read_bytes() == first


def test_large_numbers_have_no_exponent(collected, tmp_path):
    cell = make_cell("llama-7b", "slicegpt", 7.0)
    cell |= {"size": cell["size"] | {"extra_parameters": 123456789}}
    claims_command(collected([cell]).parent, tmp_path / "claims.csv", "paper")
    row = pd.read_csv(tmp_path / "claims.csv", dtype=str).set_index("id").loc["slicegpt-adds-parameters"]
    assert (row["verdict"], row["effect"]) == ("holds", "123456789")


def test_local_grid_names_its_assets_in_the_command(whole, tmp_path):
    claims_command(whole, tmp_path / "claims.csv", "local")
    command = pd.read_csv(tmp_path / "claims.csv")["command"].iloc[0]
    assert command == "snakemake --cores 2 results/table2.csv --config grid=local assets=DIR"


def test_command_line_says_what_is_missing(tmp_path, capsys):
    assert main(["report", "claims", "--results", str(tmp_path / "none")]) == 2
    assert "no results folder at" in capsys.readouterr().err


def test_section_of_a_page_counts_and_groups(whole, tmp_path):
    out = tmp_path / "claims.csv"
    claims_command(whole, out, "tiny")
    text = claims_section(out)
    frame = pd.read_csv(out, dtype=str, keep_default_na=False)
    assert "grid **tiny**" in text
    titles = [line[4:] for line in text.splitlines() if line.startswith("### ")]
    assert titles == list(dict.fromkeys(frame["section"])) and titles[0] == "0 Abstract"
    count = frame["verdict"].value_counts()
    assert f"All {len(frame)} claims: {count['holds']} holds, {count['not comparable']} not comparable, " in text
    part = text.split("### 4.4 Compensation")[1].split("### ")[0]
    assert "5 claims: 1 holds, 2 not comparable, 2 not run." in part
    assert "perplexity falls with every further reconstruction sample" in part and "10 % of ppl" in part
    assert "Not comparable: reconstruction-of-70b, reconstruction-of-7b-and-13b." in part
    assert "bold cells of table1 (6), bold cells of table2 (9)" in text.split("### 4.1")[1].split("### ")[0]
    assert "1 claim: 1 not comparable." in text.split("### B ")[1].split("### ")[0]
    assert "Not run: more-samples-help-ffn, sparser-takes-longer." in part


def test_section_refuses_what_is_no_table_of_claims(tmp_path):
    with pytest.raises(SparsitySolverError, match="no table at"):
        claims_section(tmp_path / "claims.csv")
    (tmp_path / "claims.csv").write_text("claim,source\nx,y\n")
    with pytest.raises(SparsitySolverError, match="column 'grid' is missing"):
        claims_section(tmp_path / "claims.csv")


def test_claims_never_import_torch():
    code = "import sys, sparsitysolver.reporting.pages.sections; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
