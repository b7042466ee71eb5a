"""AMC as SparsitySolver's paper describes it: DDPG on a walk whose only reward comes after the last unit.

He, Lin, Liu, Wang, Li, Han: AMC: AutoML for Model Compression and Acceleration on Mobile Devices, ECCV 2018. Their
published code rewards every step: ``amc_broadcast``.
"""

from functools import partial

from sparsitysolver.search import ddpg

SETTINGS = ddpg.DDPGSettings(broadcast=False)
BUDGET = "wall"

run = partial(ddpg.search, settings=SETTINGS)
