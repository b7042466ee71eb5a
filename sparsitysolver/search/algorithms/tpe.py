"""Tree-structured Parzen estimator over preserved ratios (Bergstra et al. 2011), by ``optuna``."""

from types import SimpleNamespace

import optuna

from sparsitysolver.records.files import Json
from sparsitysolver.search.trials import Trials, budgeted

# Joint density of all units; as many random trials at first as the library has by default.
SETTINGS = SimpleNamespace(multivariate=True, startup_trials=10)


@budgeted
def run(trials: Trials, seed: int) -> None:
    """Ask for ratios, and tell what they earned; the first ones are uniform."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        multivariate=SETTINGS.multivariate, n_startup_trials=SETTINGS.startup_trials, seed=seed
    )
    problem = trials.problem
    names = [unit.name for unit in problem.units]
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial(dict(zip(names, problem.uniform.tolist(), strict=True)))
    while True:
        trial = study.ask()
        ratios = [trial.suggest_float(name, problem.bounds.lower, problem.bounds.upper) for name in names]
        study.tell(trial, trials.score(problem.fit(ratios)).reward)


def record() -> Json:
    """Its implementation is the package's."""
    return {"optuna": optuna.__version__}
