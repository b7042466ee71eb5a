"""Settings of the command line."""

import re
from dataclasses import asdict

import pytest

from sparsitysolver import ROOT
from sparsitysolver.chat.proposals import Counts
from sparsitysolver.chat.settings import ChatSettings
from sparsitysolver.errors import SparsitySolverError


def test_options_by_name():
    given = ["temperature=0", "max_tokens=none", "send_seed=false", "backoff=0.5", "attempts=1"]
    assert ChatSettings.from_options(given) == ChatSettings(0, None, False, 1, 0.5)
    assert ChatSettings.from_options([]) == ChatSettings()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("timeout", "--chat-set timeout: name=value is needed"),
        ("timeuot=3", "unknown setting of --chat-set 'timeuot'; did you mean timeout?"),
        ("timeout=soon", "timeout = soon: seconds, above 0"),
        ("timeout=0", "timeout = 0: seconds, above 0"),
        ("timeout=none", "timeout = None: seconds, above 0"),
        ("attempts=2.5", "attempts = 2.5: a whole number"),
        ("attempts=true", "attempts = True: a whole number"),
        ("temperature=-1", "temperature = -1: a number of at least 0"),
        ("temperature=NaN", "temperature = nan: a number of at least 0"),
        ("longest_wait=Infinity", "longest_wait = inf: seconds"),
        ("send_seed=1", "send_seed = 1: true or false"),
    ],
)
def test_what_is_no_setting(option, message):
    with pytest.raises(SparsitySolverError) as caught:
        ChatSettings.from_options([option])
    assert message in str(caught.value)


PAGE = (ROOT / "docs" / "searches.md").read_text().partition("## Self-Pruner")[2]


def test_the_page_has_every_setting_with_its_default():
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", PAGE, re.M))
    assert ChatSettings.from_options([f"{name}={value}" for name, value in rows.items()]) == ChatSettings()
    assert rows.keys() == asdict(ChatSettings()).keys()


def test_the_page_has_every_count():
    assert [name for name in asdict(Counts()) if f"`{name}`" not in PAGE] == []
