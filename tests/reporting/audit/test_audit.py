"""The audit: known answers on the paper's tables, arithmetic by hand, sound tables without a flag, clear refusals."""

import json
import random
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from cell_factory import first_right, make_task_cell, make_task_grid

from sparsitysolver import CONFIG
from sparsitysolver.config.registry import tasks_table
from sparsitysolver.reporting.audit.checks import FLAG, OK, check_against_dense, check_average, check_reachable
from sparsitysolver.reporting.audit.read_published import Number, read_printed
from sparsitysolver.reporting.audit.table import audit, summary
from sparsitysolver.reporting.tables.files import table_command

PAPER = CONFIG / "paper"
TASKS = ["boolq", "piqa", "hellaswag", "winogrande", "arc_easy", "arc_challenge", "openbookqa"]
UNREACHABLE = {
    ("table3", "Ours(C4)", "arc_easy", "66.53"),
    ("table3", "Ours(C4)", "arc_challenge", "36.59"),
    ("table3", "Ours(C4)", "openbookqa", "39.14"),
    ("table3", "Ours(Recon)", "winogrande", "67.85"),
    ("table3", "Ours(Recon)", "arc_easy", "70.23"),
    ("table3", "Ours(Recon)", "arc_challenge", "37.47"),
    ("table4", "Ours", "winogrande", "59.22"),
}
TRUNCATED = {
    ("table3", "Ours(Recon)", "piqa", "75.29"),
    ("table4", "OWL", "boolq", "63.48"),
    ("table4", "OWL", "piqa", "64.90"),
    ("table4", "Ours", "boolq", "63.97"),
}


def number(text):
    parsed = Number.parse(text)
    assert parsed is not None, text
    return parsed


def places(lines, check, verdict=FLAG):
    return {(x.table, x.method, x.column, x.value) for x in lines if (x.check, x.verdict) == (check, verdict)}


def detail(lines, check, *place):
    (line,) = [x for x in lines if x.check == check and (x.table, x.method, x.column) == place]
    return line.verdict, line.detail


# --- the paper --------------------------------------------------------------------------------------------------------


def test_seven_unreachable_accuracies_and_one_model_better_than_dense_are_flagged(paper):
    assert places(paper, "reachable") == UNREACHABLE
    found = summary(paper)
    assert (found["reachable"], found["average"]) == ({OK: 63, FLAG: 7}, {OK: 10, FLAG: 0})
    assert places(paper, "better_than_dense") == {("table2", "Ours (Recon)", "opt-6.7b", "10.47")}
    found = detail(paper, "better_than_dense", "table2", "Ours (Recon)", "opt-6.7b")
    assert found == (FLAG, "lower than the dense model's 10.85")


def test_four_accuracies_are_reachable_by_truncation_alone(paper):
    truncated = [line for line in paper if line.detail.endswith("truncated, not rounded")]
    assert {(line.table, line.method, line.column, line.value) for line in truncated} == TRUNCATED
    assert {line.verdict for line in truncated} == {OK}


def test_episodes_and_seconds_are_no_perplexities(paper):
    # Table 6: 12.62 s per episode of OPT-125M is no perplexity below 27.64
    assert "Episode time (s)" in read_printed(PAPER / "table6.csv").rows
    assert {x.method for x in paper if x.table == "table6" and x.check == "better_than_dense"} == {
        *("SliceGPT", "FLAP", "Ours", "Ours (Recon)")
    }


def test_gpu_hours_of_the_second_search(paper):
    mistral = [x for x in paper if x.check == "cost" and x.column == "mistral-7b" and x.value == "2"]
    # 101 x 74.48 s are 7522.48 s: 2.09 h by the clock, 4.18 h on two GPUs
    assert [(x.verdict, x.detail.split(";")[0].split(": ")[1]) for x in mistral] == [
        (FLAG, "101 * 74.48 * 2 / 3600 = 4.18"),
        (OK, "101 * 74.48 / 3600 = 2.09"),
    ]


def test_full_searches_are_computed_and_never_stated(paper):
    full = {x.column: x for x in paper if x.check == "cost" and "of a full search" in x.detail}
    hours = {column: line.detail.split(" = ")[1].split(";")[0] for column, line in full.items()}
    assert hours == {"opt-125m": "10.52", "opt-1.3b": "21.55", "opt-2.7b": "29.22", "mistral-7b": "62.07"}
    for line in full.values():
        assert (line.value, line.verdict, line.checked) == ("-", OK, False)
        assert "never stated" in line.detail


def test_slicing_a_fifth_of_the_width_is_not_a_fifth_of_the_weights(paper):
    verdict, reason = detail(paper, "label", "table2", "SliceGPT", "opt-125m")
    # 608 of 768 channels; by hand: 12 layers of 608 * (4 * 768 + 2 * 3072) + 2 * 608**2, the last one wider
    kept = 12 * (608 * (4 * 768 + 2 * 3072) + 2 * 608**2) + 160 * (3072 + 608)
    removed = 100 * (1 - kept / (12 * (4 * 768**2 + 2 * 768 * 3072)))
    assert verdict == FLAG
    assert reason.startswith(f"width 608 of 768 removes {removed:.2f}% of the prunable weights")
    assert "147,250,880 parameters, 1.176 of the dense model's 125,239,296" in reason
    assert len(places(paper, "label")) == 9 + 1 + 4  # Tables 2, 3 and 6


def test_stated_parameter_counts_are_those_of_the_shape(paper):
    stated = {x.value: x for x in paper if x.check == "label" and x.value.endswith("B")}
    assert {value: line.verdict for value, line in stated.items()} == {"6.1B": OK, "5.4B": OK}
    assert "6,105,940,928 parameters, 0.906" in stated["6.1B"].detail
    # a fifth of 32 * (4 * 4096**2 + 3 * 4096 * 11008) weights less than 6,738,415,616
    assert f"{6_738_415_616 - round(0.2 * 32 * (4 * 4096**2 + 3 * 4096 * 11008)):,} parameters" in stated["5.4B"].detail


# --- item counts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "items", "verdict"),
    [
        ("0.00", 500, OK),
        ("100.00", 500, OK),
        ("100.20", 500, FLAG),  # more right answers than items
        ("-0.20", 500, FLAG),
        ("39.2", 500, OK),
        ("39.1", 500, FLAG),
        ("39", 500, OK),
        ("12.5", 400, OK),
        ("12.12", 400, FLAG),  # steps of a quarter
        ("12.13", 400, FLAG),
    ],
)
def test_edges(text, items, verdict):
    assert check_reachable(number(text), items).verdict == verdict


def test_reachable_agrees_with_trying_every_count():
    draw = random.Random(0)
    seen = set()
    for _ in range(300):
        items, decimals = draw.randint(1, 900), draw.randint(0, 3)
        step = Decimal(1).scaleb(-decimals)
        text = str((Decimal(draw.randint(0, 10**6)) / 10**4).quantize(step))
        exact = [Decimal(100 * k) / items for k in range(items + 1)]
        printed = {str(x.quantize(step, how)) for x in exact for how in (ROUND_HALF_UP, ROUND_DOWN)}
        seen.add(text in printed)
        assert check_reachable(number(text), items).verdict == (OK if text in printed else FLAG), (text, items)
    assert seen == {True, False}


def test_many_items_reach_everything_and_the_detail_says_so():
    assert "reach every printed value" in check_reachable(number("50.01"), 10042).detail
    assert "reach every printed value" not in check_reachable(number("50.00"), 500).detail


@pytest.mark.parametrize("text", ["NaN", "inf", "1,234.5", "34.10*", "", "-", "0x10", "1e99999", "5.4 "])
def test_what_is_no_number(text):
    assert Number.parse(text) is None


@pytest.mark.parametrize(
    ("text", "value", "unit"), [("34.10", "34.1", "0.01"), ("5", "5", "1"), ("1.2e4", "12000", "1000")]
)
def test_numbers_and_their_last_digit(text, value, unit):
    assert (number(text).value, number(text).unit) == (Fraction(value), Fraction(unit))


# --- averages and dense models ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("average", "verdict"),
    [("61.19", OK), ("61.20", OK), ("61.21", FLAG), ("61.18", FLAG), ("61.17", FLAG), ("61.2", OK), ("61.3", FLAG)],
)
def test_average_of_flap(average, verdict):
    # FLAP's row of Table 3: the mean is 61.1943
    values = [number(text) for text in ("71.44", "75.14", "67.71", "67.40", "67.21", "37.46", "42.00")]
    finding = check_average(number(average), values)
    assert finding.verdict == verdict
    assert finding.detail.startswith("the mean of the 7 printed values is 61.1943")


@pytest.mark.parametrize(
    ("pruned", "dense", "lower", "verdict"),
    [
        ("10.47", "10.85", True, FLAG),
        ("10.85", "10.85", True, OK),
        ("10.86", "10.85", True, OK),
        ("10.84", "10.85", True, FLAG),
        ("10.8", "10.85", True, OK),  # may be 10.85, rounded or truncated
        ("10.7", "10.85", True, FLAG),
        ("10.47", "10.85", False, OK),
        ("75.03", "75.02", False, FLAG),
        ("75.02", "75.02", False, OK),
    ],
)
def test_better_than_dense(pruned, dense, lower, verdict):
    assert check_against_dense(number(pruned), number(dense), lower, None).verdict == verdict


def test_an_accuracy_above_dense_comes_with_its_noise():
    # two shares of one half over 500 items each: 100 * sqrt(2 * 0.25 / 500) = 3.16 points
    found = check_against_dense(number("50.20"), number("50.00"), False, 500)
    assert found.verdict == FLAG
    assert (
        "higher than the dense model's 50.00" in found.detail and "500 independent items is 3.16 points" in found.detail
    )


# --- sound and unsound tables -----------------------------------------------------------------------------------------


def sound_table(draw):
    """Accuracies of whole numbers of items, rounded or truncated row by row, none above dense; one perplexity."""
    rows = [["Method", "Reproduced", *TASKS, "average", "wikitext2"]]
    top = [draw.randint(tasks_table()[task].n_items // 2, tasks_table()[task].n_items) for task in TASKS]
    for position in range(5):
        how = draw.choice([ROUND_HALF_UP, ROUND_DOWN])
        right = [k if position == 0 else draw.randint(0, int(0.99 * k)) for k in top]
        exact = [Decimal(100 * k) / tasks_table()[task].n_items for k, task in zip(right, TASKS, strict=True)]
        mean = sum(exact) / len(exact)
        printed = [str(value.quantize(Decimal("0.01"), how)) for value in (*exact, mean)]
        rows.append([f"M{position}" if position else "Dense", "no", *printed, f"{10 + position}.00"])
    return rows


@pytest.mark.parametrize("seed", range(8))
def test_sound_tables_have_no_flag(seed, table_file):
    lines = audit(table_file(*sound_table(random.Random(seed))))
    assert [line for line in lines if line.verdict == FLAG] == []
    assert summary(lines) == {
        "reachable": {OK: 35, FLAG: 0},
        "average": {OK: 5, FLAG: 0},
        "better_than_dense": {OK: 4 * 9, FLAG: 0},
        "cost": {OK: 0, FLAG: 0},
        "label": {OK: 0, FLAG: 0},
    }


@pytest.mark.parametrize(
    ("column", "value", "checks"),
    [
        ("openbookqa", "0.30", {"reachable", "average"}),
        ("average", "0.02", {"average"}),
        ("wikitext2", "9.99", {"better_than_dense"}),
        ("hellaswag", "100.00", {"average", "better_than_dense"}),
    ],
)
def test_one_changed_number_is_found(column, value, checks, table_file):
    rows = sound_table(random.Random(1))
    rows[3][rows[0].index(column)] = value
    flags = [line for line in audit(table_file(*rows)) if line.verdict == FLAG]
    assert {line.check for line in flags} == checks
    assert {line.method for line in flags} == {"M2"}
    assert {line.column for line in flags} <= {column, "average"}


def test_what_cannot_be_checked_is_ok_and_says_so(table_file):
    lines = audit(table_file(["Method", "boolq", "piqa", "average"], ["A", "63.48", "-", "63.48"], name="mine.csv"))
    assert {(line.check, line.verdict) for line in lines if not line.checked} == {
        *(("average", OK), ("better_than_dense", OK))
    }
    assert detail(lines, "average", "mine", "A", "average")[1] == "not checked: no value of piqa in the row"
    assert "no row Dense" in detail(lines, "better_than_dense", "mine", "A", "boolq")[1]


def test_a_dense_row_without_a_value(table_file):
    lines = audit(table_file(["Method", "opt-125m"], ["DENSE", "-"], ["A", "30.00"]))
    assert [(line.verdict, line.detail) for line in lines] == [(OK, "not checked: the dense row has no value")]


def test_columns_of_sparsities_are_compared_within_themselves(table_file):
    lines = audit(table_file(["Method", "opt-125m@0.5", "opt-125m@0.7"], ["Dense", "27", "27"], ["A", "30", "26"]))
    assert places(lines, "better_than_dense") == {("table9", "A", "opt-125m@0.7", "26")}


# --- tables of this project -------------------------------------------------------------------------------------------


def test_a_measured_table_brings_its_own_item_counts(collected):
    right = {"mini_boolq": [15, 5, 10, 11, 12], "mini_piqa": [14, 8, 6, 7, 8]}  # of 20 items, by row
    path = collected(make_task_grid("table3", right))
    table_command("table3", path, ["llama-tiny"], path.parent, list(right))
    lines = audit(path.parent)
    assert {line.table for line in lines} == {"table3"}  # neither its extended twin nor its pairs
    assert detail(lines, "reachable", "table3", "Dense", "mini_boolq") == (*(OK, "15 of 20 is 75.0000, rounded"),)
    written = path.parent / "table3.csv"
    written.write_text(written.read_text().replace("75.00,70.00", "76.00,70.00"))
    assert places(audit(written), "reachable") == {("table3", "Dense", "mini_boolq", "76.00")}
    sidecar = path.parent / "table3.footnotes.json"
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), "answers": {}}))
    assert "unknown; name it with --items" in detail(audit(written), "reachable", "table3", "Dense", "mini_boolq")[1]
    assert places(audit(written, {"mini_boolq": 20}), "reachable") == {("table3", "Dense", "mini_boolq", "76.00")}


def test_means_over_seeds_are_shares_of_all_answers(collected):
    right = {"mini_boolq": [15, 5, 10, 11, 12]}
    cells = [cell for seed in (0, 1) for cell in make_task_grid("table3", right, seed=seed)]
    odd = make_task_cell("mini_boolq", "flap", first_right(11, 20), seed=1, sparsity=0.2)
    cells = [odd if (cell["method"], cell["seed"]) == ("flap", 1) else cell for cell in cells]
    path = collected(cells)
    table_command("table3", path, ["llama-tiny"], path.parent, list(right))
    found = detail(audit(path.parent / "table3.csv"), "reachable", "table3", "FLAP", "mini_boolq")
    assert found == (OK, "21 of 40 is 52.5000, rounded")
