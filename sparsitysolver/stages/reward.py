"""What a search of the command line is rewarded on."""

import argparse

from sparsitysolver.models.loading import LoadedModel
from sparsitysolver.search.problem import Reward, text_reward
from sparsitysolver.search.settings import ACCURACY, SearchSettings
from sparsitysolver.stages.common import assets_of, windows_of


def reward_of(args: argparse.Namespace, settings: SearchSettings, loaded: LoadedModel) -> Reward:
    """What a search is rewarded on: windows of a text, or items of a task."""
    if settings.reward == ACCURACY:
        from sparsitysolver.data.items import load_items  # lm-eval takes seconds to import
        from sparsitysolver.search.task_reward import task_reward

        return task_reward(load_items(settings.task, args.items, assets_of(args)), loaded.bos)
    return text_reward(windows_of(args, loaded, settings.reward_split, args.text), settings.reward)
