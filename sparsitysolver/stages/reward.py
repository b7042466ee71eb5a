"""What a search of the command line is rewarded on."""

import argparse

from sparsitysolver.data.sources import load_text
from sparsitysolver.data.windows import cut_windows
from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.search.objectives import Reward, TextReward
from sparsitysolver.search.rewards import ACCURACY
from sparsitysolver.search.settings import SearchSettings
from sparsitysolver.stages.common import assets_of, home_text


def reward_of(args: argparse.Namespace, settings: SearchSettings, loaded: LoadedModel) -> Reward:
    """What a search is rewarded on: windows of a text, or items of a task."""
    assets = assets_of(args)
    if settings.reward == ACCURACY:
        from sparsitysolver.data.items import load_items  # lm-eval takes seconds to import
        from sparsitysolver.search.task_reward import TaskReward

        return TaskReward(load_items(settings.task, args.items, assets))
    text = load_text(args.text or home_text(loaded.source), settings.reward_split, assets)
    windows = cut_windows(text, loaded.tokenizer, loaded.seqlen(args.seqlen), vocabulary=loaded.vocabulary)
    return TextReward(windows, settings.reward)
