"""The arena's tables, from records made by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from sparsitysolver.config import auto
from sparsitysolver.config.arena import Entrant, Line, definition
from sparsitysolver.config.contract import read_rows
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.records.files import write_record
from sparsitysolver.reporting.pages.readme import readme_command
from sparsitysolver.reporting.pages.sections import pareto_section, ranks_section
from sparsitysolver.reporting.studies.arena import arena_command, choice_command
from sparsitysolver.reporting.studies.arena_ranks import ranks

WINDOWS = 40
ENTRANTS = {name: Entrant(label=label) for name, label in (("ppo", "PPO"), ("cma", "CMA"), ("random", "Random"))}
LINES = {"uniform": Line(label="Uniform")}
ARENA = definition().model_copy(update={"reference": "ppo", "entrants": ENTRANTS, "lines": LINES})


def final(loss, seed, spread=0.5):
    """Losses that differ between windows, alike for all searches, and by a constant between searches."""
    base = np.random.default_rng(0).normal(0, spread, WINDOWS)
    losses = base - base.mean() + loss + 0.01 * seed
    return {
        "validation_ppl": math.exp(loss + 0.01 * seed),
        "test_ppl": math.exp(losses.mean()),
        "test_losses": losses.tolist(),
    }


def search(name, loss, seed, evaluations=300):
    ends = final(loss, seed)
    return {
        "algorithm": name,
        "found_by": name,
        "key": f"{name}{seed}",
        "evaluations": evaluations,
        "tokens": 307200,
        "all_tokens": 362496,
        "seconds_per_proposal": 0.002,
        "achieved_sparsity": 0.2,
        "kept": [1] * 20,
        "anytime": [{"share": share, "tokens": int(share * 307200), "validation_ppl": 9.0} for share in (0.5, 1)],
        **ends,
    }


def study(seed, model="m", **losses):
    losses = {"ppo": 2.0, "cma": 1.9, "random": 2.1} | losses
    return {
        "format": 1,
        "model": {"name": model, "family": "opt", "weights_sha256": "0" * 64},
        "granularity": "structured",
        "sparsity": 0.2,
        "seed": seed,
        "criterion": "l2",
        "calibration": {},
        "fingerprints": {"validation": {"windows": 64}, "test": {"windows": WINDOWS}},
        "dense": final(1.5, 0),
        "lines": [{"algorithm": "uniform", "kept": [1] * 20, "achieved_sparsity": 0.2, **final(2.3, seed)}],
        "searches": [search(name, loss, seed) for name, loss in losses.items()],
        "pareto": [],
        "provenance": {},
        "run": {},
    }


def by_name(rows):
    return {row["algorithm"]: row for row in rows}


def test_ranks_and_differences_are_those_of_the_losses():
    rows = ranks([study(seed) for seed in range(5)], ARENA)
    assert [row["algorithm"] for row in rows] == ["cma", "ppo", "random", "uniform"]
    assert [row["rank"] for row in rows] == [1, 2, 3, None]
    named = by_name(rows)
    assert named["cma"]["difference"] == pytest.approx(100 * math.expm1(-0.1))
    assert "p" not in named["cma"] and "low" not in named["cma"]  # seeds that do not differ test nothing
    assert "difference" not in named["ppo"]
    assert named["cma"]["test_ppl"] == pytest.approx(math.exp(1.9 + 0.01 * 2))


SHIFTS = (-0.01, 0.01, 0.0)


def test_p_is_a_paired_t_test_over_seeds_with_holms_correction():
    """By hand: differences -0.11, -0.09, -0.10 have mean -0.1 and standard error 0.01 / sqrt(3)."""
    studies = [study(seed, cma=1.9 + one, random=2.1 + 2 * one) for seed, one in enumerate(SHIFTS)]
    rows = by_name(ranks(studies, ARENA))
    # two degrees of freedom have a closed form
    ps = [1 - t / math.sqrt(t * t + 2) for t in (0.1 / (0.01 / math.sqrt(3)), 0.1 / (0.02 / math.sqrt(3)))]
    assert [rows[name]["p"] for name in ("cma", "random")] == pytest.approx(ps)
    # "uniform" differs by the same in all seeds: two tests are made
    assert [rows[name]["p_holm"] for name in ("cma", "random")] == pytest.approx([2 * ps[0], max(2 * ps[0], ps[1])])
    half = 4.302652729911275 * 0.01 / math.sqrt(3)  # 97.5% point of Student's t with two degrees of freedom
    expected = [100 * math.expm1(-0.1 + sign * half) for sign in (-1, 1)]
    assert [rows["cma"][name] for name in ("low", "high")] == pytest.approx(expected)


def test_allocations_without_a_search_are_corrected_for_too():
    studies = [study(seed, cma=1.9 + shift) for seed, shift in enumerate(SHIFTS)]
    for record, shift in zip(studies, (0.02, -0.01, 0.0), strict=True):
        record["lines"][0] |= final(2.3 + shift, record["seed"])
    rows = by_name(ranks(studies, ARENA))
    assert rows["uniform"]["p_holm"] == pytest.approx(2 * rows["uniform"]["p"])
    assert rows["cma"]["p_holm"] == pytest.approx(max(2 * rows["uniform"]["p"], rows["cma"]["p"]))


REASON = "unequal sparsity: {} and {} of the prunable weights removed"


def test_a_search_that_removed_something_else_has_neither_rank_nor_difference():
    """The paper's own rule overshoots where a layer has three groups: 21.2% where 20% is asked."""
    studies = [study(seed, cma=1.9 + shift) for seed, shift in enumerate(SHIFTS)]
    studies[1]["searches"][0]["achieved_sparsity"] = 0.2124
    rows = by_name(ranks(studies, ARENA))
    assert rows["ppo"]["rank"] is None and rows["ppo"]["not_ranked"] == REASON.format("21.2%", "20.0%")
    assert [rows[name]["rank"] for name in ("cma", "random")] == [1, 2]
    for name in ("cma", "random", "uniform"):
        assert rows[name]["not_compared"] == REASON.format("20.0%", "21.2%")
        assert not {"difference", "low", "high", "p", "p_holm"} & rows[name].keys()


def test_searches_that_overshoot_alike_are_compared():
    studies = [study(seed, cma=1.9 + shift) for seed, shift in enumerate(SHIFTS)]
    for record in studies:
        for search in record["searches"][:2]:
            search["achieved_sparsity"] = 0.2124
    rows = by_name(ranks(studies, ARENA))
    assert rows["cma"]["p_holm"] == pytest.approx(rows["cma"]["p"]) and rows["cma"]["rank"] is None
    assert rows["random"]["rank"] == 1 and "difference" not in rows["random"]


def test_pages_say_what_is_not_compared(made):
    studies = [study(seed, cma=1.9 + shift) for seed, shift in enumerate(SHIFTS)]
    for record in studies:
        record["searches"][2]["achieved_sparsity"] = 0.25
    folder = made(*studies)
    page = next(line for line in (folder / "arena.md").read_text().splitlines() if line.startswith("| Random"))
    assert page.count(REASON.format("25.0%", "20.0%")) == 2 and " 25.0% |" in page
    table = ranks_section(folder / "arena_ranks.csv").splitlines()
    assert f"8.25 [{REASON.format('25.0%', '20.0%')}]" in next(line for line in table if line.startswith("| Random"))


def test_ranks_differ_between_seeds():
    rows = by_name(ranks([study(0), study(1, cma=2.05)], ARENA))
    assert (rows["cma"]["rank"], rows["ppo"]["rank"], rows["random"]["rank"]) == (1.5, 1.5, 3)


BROKEN = {"test_ppl": None, "test_losses": [], "validation_ppl": None}


def test_a_broken_model_comes_last():
    broken, both = study(0), [study(0), study(1)]
    broken["searches"][1] |= BROKEN
    rows = ranks([broken, study(1)], ARENA)
    cma = by_name(rows)["cma"]
    assert cma["rank"] == 2 and cma["test_ppl"] is None and "difference" not in cma
    assert rows[-1]["algorithm"] == "cma"
    for record in both:
        for search in record["searches"][1:]:
            search |= BROKEN
    assert [row["algorithm"] for row in ranks(both, ARENA)][-2:] == ["cma", "random"]


@pytest.fixture
def made(tmp_path):
    """Writes records and makes the arena's files of them, in the folder that it returns."""

    def make(*records):
        paths = [tmp_path / f"{place}.json" for place in range(len(records))]
        for path, record in zip(paths, records, strict=True):
            write_record(path, record, "arena")
        arena_command(paths, tmp_path / "arena.csv")
        return tmp_path

    return make


def test_the_table_has_a_row_for_every_search_and_what_did_not_run(made):
    folder = made(study(0), study(1))
    frame = pd.read_csv(folder / "arena.csv")
    assert len(frame[frame["status"] == "ran"]) == 6
    missing = frame[frame["status"] == "not run"]
    assert list(missing["algorithm"]) == ["self_pruner"] and missing["test_ppl"].isna().all()
    lines = frame[frame["status"] == "no search"]
    assert (lines["evaluations"] == 0).all() and len(lines) == 2
    assert len(pd.read_csv(folder / "anytime_arena.csv")) == 12
    assert "| CMA-ES" in (folder / "arena.md").read_text()


def changed(change):
    """A record of seed 7 with a change made in it."""
    record = study(7)
    change(record)
    return record


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (study(0), "two measurements of the arena"),
        (
            changed(lambda record: record["searches"].pop()),
            r"seeds 0 and 7 of m, structured, 0\.2 have different searches",
        ),
        (changed(lambda record: record["fingerprints"]["test"].update(windows=10)), "different windows"),
        (changed(lambda record: record["searches"][0].update(algorithm="cmma")), "'cmma'.*did you mean cma"),
    ],
)
def test_records_that_cannot_be_paired_are_an_error(other, words, made):
    with pytest.raises(SparsitySolverError, match=words):
        made(study(0), study(1), other)


def test_the_readme_gets_what_the_arena_found(made):
    """By hand: CMA is a tenth of a nat below PPO, random as much above, uniform by the same in all seeds."""
    point = {"sparsity": 0.3, "achieved_sparsity": 0.3, "predicted_change": 0.1, "uniform_test_ppl": 20.0}
    records = [study(seed, cma=1.9 + shift / 100, random=2.1 + shift) for seed, shift in enumerate(SHIFTS)]
    folder = made(*(record | {"pareto": [point | {"test_ppl": 10.0 + record["seed"]}]} for record in records))
    table = ranks_section(folder / "arena_ranks.csv").splitlines()
    assert "m, structured 0.2" in table[0]
    assert [line.split("|")[1].strip() for line in table[2:6]] == ["CMA-ES", "PPO (the paper's)", "Random", "Uniform"]
    assert "6.75 [-9.5%*, p < 0.001]" in table[2] and "[" not in table[3]
    assert "8.25 [+10.5%*, p 0.003]" in table[4] and "(no search) [+35.0%]" in table[5]
    assert "307,200 evaluated tokens" in table[-1]
    frame = pd.read_csv(folder / "arena_ranks.csv")
    frame.assign(p_holm=frame["p_holm"] + 0.05).to_csv(folder / "alone.csv", index=False)
    assert "6.75 [-9.5%, p 0.050]" in ranks_section(folder / "alone.csv")  # p alone is below the level, and no star
    line = pareto_section(folder / "arena_pareto.csv").splitlines()[2]
    assert [cell.strip() for cell in line.split("|")[1:-1]][3:] == ["0.3", "11.00", "20.00", "4.48"]
    readme = folder / "README.md"
    readme.write_text("<!-- generated:arena -->\n<!-- /generated -->\n")
    readme_command(readme, folder, "tiny")
    assert "6.75 [-9.5%*, p < 0.001]" in readme.read_text() and "grid: tiny" in readme.read_text()


@pytest.fixture
def chosen(made, tmp_path, monkeypatch):
    """Makes the table of choices from records, and the package read it; returns its rows."""
    monkeypatch.setattr(auto, "TABLE", tmp_path / "auto.tsv")

    def choose(*records):
        choice_command([made(*records) / "arena.csv"], auto.TABLE)
        return read_rows(auto.TABLE, auto.Choice)

    return choose


def test_the_choice_is_the_lowest_mean_rank_of_a_budget(chosen):
    (row,) = chosen(study(0), study(1))
    assert (row.granularity, row.evaluations_per_unit, row.algorithm) == ("structured", 15.0, "cma")
    assert auto.choose("structured", 1000, 20) == auto.choose("structured", 10, 20) == "cma"
    with pytest.raises(SparsitySolverError, match="no row for granularity 'unstructured'"):
        auto.choose("unstructured", 10, 20)


def test_searches_that_removed_something_else_are_not_chosen(chosen):
    """CMA is best in both problems, and in one of them it removed less than was asked."""
    records = [study(0, model) for model in ("m", "n")]
    records[1]["searches"][1]["achieved_sparsity"] = 0.18
    assert [row.algorithm for row in chosen(*records)] == ["ppo"]
    records[0]["searches"][2]["achieved_sparsity"] = 0.25
    with pytest.raises(SparsitySolverError, match=r"structured at 15\.0 evaluations a unit: 1 searches removed"):
        chosen(*records)


def test_a_choice_needs_the_reference(chosen):
    record = study(0)
    del record["searches"][0]
    with pytest.raises(SparsitySolverError, match="no search of ppo and others found in 1 files"):
        chosen(record)


def test_the_choice_follows_the_budget(tmp_path, monkeypatch):
    (tmp_path / "auto.tsv").write_text(
        "# head\ngranularity\tevaluations_per_unit\talgorithm\tmean_rank\trunner_up\tproblems\n"
        "structured\t2\ttwo_rate\t1\tcma\t2\nstructured\t10\tsurrogate\t1\tcma\t2\nstructured\t50\tcma\t1\tppo\t2\n"
    )
    monkeypatch.setattr(auto, "TABLE", tmp_path / "auto.tsv")
    picked = [auto.choose("structured", episodes, 20) for episodes in (10, 40, 199, 200, 5000)]
    assert picked == ["two_rate", "two_rate", "two_rate", "surrogate", "cma"]
