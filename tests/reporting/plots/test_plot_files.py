"""Figures as files: the same bytes every time, nothing cut off or hidden."""

import plot_factory as factory
import pytest
from drawn_figures import FIGURES, check_readable, drawn, script

from sparsitysolver.reporting.plots import style
from sparsitysolver.reporting.plots.command import main

LONG = tuple(f"a-rather-long-model-name-{number}b-hf" for number in range(9))
SEARCHES = ("ppo", "amc", "amc_broadcast", "agmc")
PAIR = ("sparsitysolver_unstructured", "owl")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Results of all figures, small."""
    return factory.small_results(tmp_path_factory.mktemp("results"))


@pytest.mark.parametrize("name", FIGURES)
def test_every_script_writes_the_same_bytes_twice(name, small, tmp_path, capsys):
    assert script(name).main is main
    for turn in ("one", "two"):
        assert main(name, script(name).draw, ["--results", str(small), "--out", str(tmp_path / turn / name)]) == 0
    endings = ("pdf", "png", "txt")
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [f"{name}.{ending}" for ending in endings]
    one, two = ([(tmp_path / turn / f"{name}.{ending}").read_bytes() for ending in endings] for turn in ("one", "two"))
    assert one == two
    pdf, png, txt = one
    assert png.startswith(b"\x89PNG") and pdf.startswith(b"%PDF") and b"Date" not in pdf
    caption = capsys.readouterr().out.splitlines()[0]
    assert "tiny" in caption and "{" not in caption
    assert caption.partition(": ")[2][:40].encode() in png  # in the file itself, too
    assert txt.decode() == caption.partition(": ")[2] + "\n"


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_off_or_hidden(name, small):
    figure = drawn(name, small).figure
    check_readable(figure)
    assert figure.get_size_inches()[0] == (7.0 if name == "arena" else 3.5)


LARGE = {
    "figure3": {"cells": factory.cells(LONG[:2], seeds=5), "inference": factory.inference(LONG[:2])},
    "figure4": {
        "strategies": factory.strategies(LONG, PAIR, 0.7, 5, 80, "unstructured") + factory.strategies(LONG, layers=80)
    },
    "figure5": {"reconstruction": factory.reconstruction(LONG[:3], (0, *(2**n for n in range(11))), seeds=5)},
    "figure6": {"curves": factory.curves(LONG[:2], SEARCHES, seeds=2, episodes=600)},
    "figure7": {"curves": factory.curves(LONG[:2], ("sparsitysolver_reuse", "sparsitysolver"), 0.3, 3)},
    "figure8": {"curves": factory.curves(LONG[:1], seeds=5, episodes=700)},
    "figure11": {
        "strategies": factory.strategies(LONG, layers=80)
        + factory.strategies(LONG[:1], sparsity=0.3, seeds=5, layers=80)
    },
    "figure12": {"strategies": factory.strategies(LONG, PAIR, 0.7, 2, 80, "unstructured")},
    "figure13": {"curves": factory.curves(LONG[:3], layers=80), "strategies": factory.strategies(LONG[:3], layers=80)},
    "figure14": {"inference": factory.inference(LONG, (*factory.OURS, *factory.STRUCTURED))},
}
SINGLE = {
    "figure3": {
        "cells": factory.cells(methods=("flap",), sparsities=(0.2,)),
        "inference": factory.inference(methods=()),
    },
    "figure5": {"reconstruction": factory.reconstruction(samples=(32,), modules=("mha",))},
    "figure6": {"curves": factory.curves(methods=("ppo",), episodes=1)},
    "figure11": {"strategies": factory.strategies(layers=2) + factory.strategies(sparsity=0.3, layers=2)},
    "figure12": {"strategies": factory.strategies(("m",), PAIR[:1], 0.7, layers=2, granularity="unstructured")},
    "figure13": {"curves": factory.curves(layers=2, episodes=2), "strategies": factory.strategies(layers=2)},
    "figure14": {"inference": factory.inference(methods=("flap",), memory=False)},
}


@pytest.mark.parametrize(("name", "files"), [*LARGE.items(), *SINGLE.items()])
def test_the_largest_and_the_least_there_can_be_are_readable(name, files, tmp_path):
    check_readable(drawn(name, tmp_path, **files).figure)


def test_methods_look_alike_nowhere_and_new_ones_keep_their_look():
    looks = list(style.looks().methods.values())
    assert len(set(looks)) == len(looks)
    assert style.method_styles(["my_method"]) == style.method_styles(["my_method"])
    assert style.method_styles(["my_method"])["my_method"] not in looks
    new = [f"method_{number}" for number in range(60)]
    together = style.method_styles([*new, *style.looks().methods])
    assert len(set(together.values())) == len(together)
    assert style.method_styles(["flap"])["flap"] == together["flap"]
