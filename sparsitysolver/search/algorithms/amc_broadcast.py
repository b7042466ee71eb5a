"""AMC as its published code has it: the final reward in every transition of the episode, less a moving average.

The code is mit-han-lab/amc (``amc_search.py``, ``lib/agent.py``). ``amc`` differs in the reward alone.
"""

from functools import partial

from sparsitysolver.search import ddpg

SETTINGS = ddpg.DDPGSettings(broadcast=True)
BUDGET = "wall"

run = partial(ddpg.search, settings=SETTINGS)
