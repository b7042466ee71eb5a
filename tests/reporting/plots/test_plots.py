"""Figures from made-up results: what stands in their axes."""

import math

import numpy as np
import plot_factory as factory
import pytest
from drawn_figures import drawn, lines, panels

from sparsitysolver.reporting.plots.curves import episode_within, running_mean

SEARCHES = ("ppo", "amc", "amc_broadcast", "agmc")
PAIR = ("sparsitysolver_unstructured", "owl")


def references(ax) -> list[float]:
    """Heights of the lines that others are measured by."""
    return [line.get_ydata()[0] for line in ax.get_lines() if line.get_linestyle() == ":"]


def titles(figure) -> list[str]:
    return [ax.get_title(loc="left") for ax in panels(figure)]


def test_figure3_has_the_means_by_label_parameters_and_speed(tmp_path):
    rows = factory.cells(seeds=3)
    skipped = rows[-1] | {"status": "skipped", "reason": "no", "metric": "", "value": "", "parameters": ""}
    sparsities = (0.1, 0.2, 0.3, 0.4, 0.5)
    measured = factory.inference(methods=("slicegpt", "sparsitysolver_recon"), sparsities=sparsities)
    picture = drawn("figure3", tmp_path, cells=[*rows, skipped], inference=measured)
    by_label, by_parameters, by_speed = panels(picture.figure)
    ppl = [factory.cell_ppl(0, sparsity, 1) for sparsity in sparsities]  # seeds 0, 1, 2: the middle one is the mean
    assert np.allclose(lines(by_label)["sparsitysolver"].get_xdata(), [10, 20, 30, 40, 50])
    assert np.allclose(lines(by_label)["sparsitysolver"].get_ydata(), ppl)
    assert set(lines(by_label)) == {"dense", *factory.OURS, *factory.STRUCTURED}
    kept = [1 - 0.9 * sparsity for sparsity in sparsities]
    assert np.allclose(lines(by_parameters)["sparsitysolver"].get_xdata(), kept)
    assert lines(by_parameters)["dense"].get_xdata() == [1] and by_parameters.xaxis_inverted()
    # Measured: SliceGPT, and ours with reconstruction, whose shapes ours without it shares.
    assert set(lines(by_speed)) == {"dense", "slicegpt", *factory.OURS}
    assert np.allclose(lines(by_speed)["sparsitysolver"].get_xdata(), [1.1 + p for p in sparsities])
    assert "FLAP" in picture.facts["unmeasured"] and "Ours" not in picture.facts["unmeasured"]
    assert by_label.get_yscale() == "log"
    assert by_label.get_ylim() == by_parameters.get_ylim() == by_speed.get_ylim()
    segments = {tuple(np.round(s[:, 1], 6)) for c in by_label.collections for s in c.get_segments()}
    low, high = (round(factory.cell_ppl(0, 0.1, seed), 6) for seed in (0, 2))
    assert (low, high) in segments


def test_figure4_has_matrices_beside_owl_and_layers_apart(tmp_path):
    models = ("one", "two", "three")
    rows = factory.strategies(models, PAIR, 0.7, granularity="unstructured", layers=3)
    figure = drawn("figure4", tmp_path, strategies=rows + factory.strategies(models, seeds=2)).figure
    assert titles(figure) == ["(a) one, 70%", "(b) two, 70%", "(c) one, 20%", "(d) two, 20%", "(e) three, 20%"]
    first, third = panels(figure)[0], panels(figure)[2]
    assert np.allclose(lines(first)["Ours"].get_ydata(), [factory.ratio(unit, 0) for unit in range(21)])
    assert np.allclose(lines(first)["OWL w.t. Wanda"].get_ydata(), [factory.ratio(unit // 7, 0) for unit in range(21)])
    for offset, kind in enumerate(("MHA", "FFN")):
        seeds = np.array([[factory.ratio(2 * layer + offset, seed) for layer in range(4)] for seed in range(2)])
        assert np.allclose(lines(third)[kind].get_ydata(), seeds.mean(axis=0))
        band = third.collections[offset].get_paths()[0].vertices
        for layer in range(4):
            heights = band[np.isclose(band[:, 0], layer), 1]
            assert np.allclose([heights.min(), heights.max()], [seeds[:, layer].min(), seeds[:, layer].max()])


def test_figure5_has_perplexity_and_seconds_over_samples(tmp_path):
    picture = drawn("figure5", tmp_path, reconstruction=factory.reconstruction(samples=(0, 2, 8), seeds=3))
    ppl, seconds = panels(picture.figure)
    assert np.allclose(lines(ppl)["FFN"].get_ydata(), [11.1, 9.6])
    assert np.allclose(lines(ppl)["FFN"].get_xdata(), [2, 8])
    assert np.allclose(lines(seconds)["MHA and FFN"].get_ydata(), [0.06, 0.24])
    assert ppl.get_xscale() == "log" and [t.get_text() for t in ppl.get_xticklabels()] == ["2", "8"]
    assert np.allclose(references(ppl), [np.mean([17.1, 18.1, 16.1])])


def test_figure6_has_running_means_bands_and_the_uniform_line(tmp_path):
    figure = drawn("figure6", tmp_path, curves=factory.curves(methods=SEARCHES[:2], seeds=3, episodes=40)).figure
    reward, ppl = panels(figure)
    for rank, label in enumerate(("PPO (ours)", "AMC")):
        runs = np.array([[factory.curve_ppl(rank, e, seed) for e in range(40)] for seed in range(3)])
        for ax, values in ((ppl, runs), (reward, 10 / runs)):
            means = np.array([[run[e - 14 : e + 1].mean() for e in range(14, 40)] for run in values])
            assert np.allclose(lines(ax)[label].get_ydata()[14:], means.mean(axis=0))
            assert np.isnan(lines(ax)[label].get_ydata()[:14]).all()
            band = ax.collections[rank].get_paths()[0].vertices
            last = band[np.isclose(band[:, 0], 39), 1]
            assert np.allclose([last.min(), last.max()], [means[:, -1].min(), means[:, -1].max()])
    assert 8.0 in references(ppl) and 1.25 in references(reward)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["PPO (ours)", "AMC", "Uniform"]
    apart = factory.curves(methods=SEARCHES[:1], seeds=2, episodes=40)  # seeds that calibrate apart
    apart = [row | {"uniform_ppl": 8.0 + row["seed"]} for row in apart]
    _, ppl = panels(drawn("figure6", tmp_path, curves=apart).figure)
    assert 8.5 in references(ppl)


def test_figure7_marks_the_first_episode_within_one_percent(tmp_path):
    def fall(rank, episode, seed):
        return 20.0 if episode < 30 + 10 * rank + seed else 10.05 if episode < 50 else 10.0 if episode < 300 else 5.0

    rows = factory.curves(
        methods=("sparsitysolver_reuse", "sparsitysolver"), sparsity=0.3, seeds=3, episodes=310, ppl=fall
    )
    other = factory.curves(methods=("sparsitysolver_first",), sparsity=0.2)
    figure = drawn("figure7", tmp_path, curves=rows + other).figure
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "Ours (reused agent), within 1%: episode 31 (30 to 32)" in texts
    assert "Ours, within 1%: episode 41 (40 to 42)" in texts
    upright = [line.get_xdata()[0] for line in panels(figure)[0].get_lines() if len(set(line.get_xdata())) == 1]
    assert sorted(upright) == [31, 41]
    assert len(lines(panels(figure)[0])) == 2  # the search at 20% is not there


@pytest.mark.parametrize("name", ["figure8", "figure9", "figure10"])
def test_curves_of_one_search_show_episodes_mean_and_best(name, tmp_path):
    reward, ppl = panels(drawn(name, tmp_path, curves=factory.curves(episodes=60)).figure)
    values = np.array([factory.curve_ppl(0, episode, 0) for episode in range(60)])
    for ax, expected, best in ((ppl, values, np.minimum), (reward, 10 / values, np.maximum)):
        dots, mean, broken = ax.get_lines()
        assert np.allclose(dots.get_ydata(), expected)
        assert np.allclose(mean.get_ydata()[14:], running_mean(expected, 15)[14:])
        assert np.allclose(broken.get_ydata(), best.accumulate(expected))


def test_diverged_candidates_leave_the_perplexity_alone(tmp_path):
    def ppl(rank, episode, seed):
        return (math.inf, math.nan, 10.0)[episode % 3]

    rows = factory.curves(episodes=60, ppl=ppl)
    rows[6]["ppl"] = ""  # as collected
    reward, perplexity = panels(drawn("figure8", tmp_path, curves=rows).figure)
    assert np.allclose(perplexity.get_lines()[1].get_ydata()[14:], 10)
    assert np.allclose(reward.get_lines()[1].get_ydata()[14:], 1 / 3)


def test_figure11_has_searches_apart_then_one_panel_a_model(tmp_path):
    rows = factory.strategies(("one", "two")) + factory.strategies(("two",), sparsity=0.3, seeds=4)
    picture = drawn("figure11", tmp_path, strategies=rows + factory.strategies(("one",), sparsity=0.3))
    mha, ffn, one, two = panels(picture.figure)
    assert [titles(picture.figure)[place] for place in (0, 3)] == ["(a) MHA, two, 30%", "(d) two, 20%"]
    for offset, ax in enumerate((mha, ffn)):
        assert list(lines(ax)) == [f"search {rank}" for rank in (1, 2, 3, 4)]
        expected = [factory.ratio(2 * layer + offset, 2) for layer in range(4)]
        assert np.allclose(lines(ax)["search 3"].get_ydata(), expected)
    assert set(lines(one)) == {"MHA", "FFN"}
    assert picture.facts["searches"] == "4" and picture.facts["seeds_model"] == "two"


def test_figure12_has_two_lines_a_model_and_uniform_in_the_order_of_the_models_table(tmp_path):
    models = ("my-model", "llama-2-7b", "opt-6.7b", "opt-1.3b")
    rows = factory.strategies(models, PAIR, 0.7, granularity="unstructured")
    figure = drawn("figure12", tmp_path, strategies=rows).figure
    assert titles(figure) == ["(a) opt-1.3b, 70%", "(b) opt-6.7b, 70%", "(c) llama-2-7b, 70%", "(d) my-model, 70%"]
    for ax in panels(figure):
        assert set(lines(ax)) == {"Ours", "OWL w.t. Wanda"} and 1 - 0.7 in references(ax)


def test_figure13_has_four_candidates_of_the_first_search(tmp_path):
    rows, units = factory.curves(seeds=2, episodes=90), factory.strategies()
    picture = drawn("figure13", tmp_path, curves=rows, strategies=units)
    assert picture.facts["episodes"] == "0, 29, 59, 89"
    for offset, (ax, size) in enumerate(zip(panels(picture.figure), (8, 160), strict=True)):
        for line, episode in zip(ax.get_lines(), (0, 29, 59, 89), strict=True):
            counts = [factory.kept_count(2 * layer + offset, episode, size) / size for layer in range(4)]
            assert np.allclose(line.get_ydata(), counts)


def test_figure14_has_bars_with_the_interval_of_the_speedup(tmp_path):
    rows = factory.inference(methods=("slicegpt", "flap"), sparsities=(0.1, 0.2, 0.3), seeds=2)
    figure = drawn("figure14", tmp_path, inference=rows).figure  # at 20% alone
    prefill, _, tokens, _, memory = panels(figure)
    assert [text.get_text() for text in prefill.get_yticklabels()] == ["Dense", "FLAP", "SliceGPT"]
    assert np.allclose([bar.get_width() for bar in prefill.patches], [100, 100 / 1.3, 100 / 1.2])
    (intervals,) = prefill.collections
    assert np.allclose(intervals.get_segments()[1][:, 0], [100 / 1.3 / 1.1, 100 / 1.3 / 0.9])
    assert np.allclose([bar.get_width() for bar in tokens.patches], [1280, 1280 * 1.3, 1280 * 1.2])
    (intervals,) = tokens.collections
    assert np.allclose(intervals.get_segments()[2][:, 0], [1280 * 1.2 * 0.9, 1280 * 1.2 * 1.1])
    assert np.allclose([bar.get_width() for bar in memory.patches], [100, 100 / 1.3, 100 / 1.2])
    assert not memory.collections


def test_the_arena_has_a_panel_a_family_and_leaves_out_what_is_far_above_uniform(tmp_path):
    rows = factory.anytime(algorithms=("ppo", "cma", "random"), seeds=3)
    rows[0]["validation_ppl"] = 100.0
    figure = drawn("arena", tmp_path, anytime=rows).figure
    learned, evolved, simple = panels(figure)
    assert [set(lines(ax)) for ax in (learned, evolved, simple)] == [
        {"PPO (ours)"},
        {"PPO (ours)", "cma"},
        {"PPO (ours)", "random"},
    ]
    assert np.allclose(lines(evolved)["cma"].get_xdata(), [250, 500, 1000])
    assert np.allclose(lines(evolved)["cma"].get_ydata(), [8.85, 8.6, 8.1])
    assert 9.0 in references(evolved)
    assert learned.get_ylim()[1] < 13 and learned.get_xscale() == "log"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["PPO (ours)", "cma", "random", "Uniform"]


def test_episode_within_looks_at_the_horizon_alone():
    ppl = np.array([math.inf, 12.0, 10.05, 10.0, 1.0])
    assert episode_within(ppl, 0.01, 4) == 2
    assert episode_within(ppl, 0.0, 4) == 3
    assert episode_within(ppl, 0.01, 300) == 4
