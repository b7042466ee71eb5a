"""Tree-structured Parzen estimator over preserved ratios (Bergstra et al. 2011), by ``optuna``."""

from dataclasses import asdict, dataclass

import optuna

from sparsitysolver.records.files import Json
from sparsitysolver.search.journal import Journal
from sparsitysolver.search.problem import Problem
from sparsitysolver.search.searched import Searched
from sparsitysolver.search.trials import Trials, search


@dataclass(frozen=True)
class TPESettings:
    """Joint density of all units; as many random trials at first as the library has by default."""

    multivariate: bool = True
    startup_trials: int = 10


SETTINGS = TPESettings()


def run(problem: Problem, journal: Journal, episodes: int, seed: int) -> Searched:
    """Search for ``episodes`` episodes, the first of them with uniform ratios."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        multivariate=SETTINGS.multivariate, n_startup_trials=SETTINGS.startup_trials, seed=seed
    )
    names = [unit.name for unit in problem.units]
    lower, upper = problem.bounds.lower, problem.bounds.upper

    def propose(trials: Trials) -> None:
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.enqueue_trial(dict(zip(names, problem.uniform.tolist(), strict=True)))
        while True:
            trial = study.ask()
            ratios = [trial.suggest_float(name, lower, upper) for name in names]
            study.tell(trial, trials.score(problem.fit(ratios)).reward)

    search(problem, journal, episodes, propose)
    return Searched()


def record() -> Json:
    """The settings as a strategy keeps them."""
    return asdict(SETTINGS) | {"optuna": optuna.__version__}
