"""Two rivals of another kind: a bandit that fills in missing answers, and one that ends a search of whole trials."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo_bench.experiments.spending.pools import Draw
from hpo_bench.experiments.spending.racing import generator, random_places
from hpo_bench.experiments.spending.whole import HIGHEST, Step

Array = NDArray[np.float64]
Answers = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LowRankUcbE:
    """UCB-E with low-rank factorisation (Zhou et al., 2025), at the defaults of github.com/kilian-group/banditeval.

    25 random settings. What is missing of the table of settings and examples is filled in by 64 factorisations of rank
    1, each fitted anew from random factors to 95% of the answers so far, by ten rounds of alternating least squares
    with a ridge of .1. A batch of 32 goes to the setting with the highest mean of its answers and of what is filled in
    plus five times how far the factorisations disagree on that, and to those of its examples on which they disagree
    most. It begins with a twentieth of the table drawn at random, or a quarter of the budget if that is less.
    """

    batch: int = 32
    members: int = 64
    exploration: float = 5.0
    rounds: int = 10
    dropped: float = 0.05
    ridge: float = 0.1

    def run(self, draws: Sequence[Draw], budget: int) -> Iterator[Step]:
        """Replay each draw."""
        for at, draw in enumerate(draws):
            yield self._replay(at, draw, budget, generator(draw, 6))

    def _replay(self, at: int, draw: Draw, budget: int, rng: np.random.Generator) -> Step:
        arms = np.unique(random_places(draw, 25, rng))
        answers = draw.seen[arms]
        n, m = answers.shape
        known = np.zeros(n * m, dtype=bool)
        known[rng.permutation(n * m)[: max(min(n * m // 20, budget // 4), n)]] = True
        known = known.reshape(n, m)
        while True:
            mean, spread = self._filled(answers, known, rng)
            left = min(self.batch, budget - int(known.sum()))
            if left <= 0 or known.all():
                break
            bound = mean + self.exploration * spread.mean(axis=1)
            bound[known.all(axis=1)] = -np.inf
            arm = int(bound.argmax())
            unsure = np.where(known[arm], -1.0, spread[arm])
            chosen = np.argsort(-unsure, kind="stable")[: min(left, int((~known[arm]).sum()))]
            known[arm, chosen] = True
        best = int(mean.argmax())
        seen, count = int(known.sum()), int(known[best].sum())
        own = float(answers[best, known[best]].mean()) if count else float(mean[best])
        return Step(at, HIGHEST, n, count, seen, int(arms[best]), own)

    def _filled(self, answers: Answers, known: NDArray[np.bool_], rng: np.random.Generator) -> tuple[Array, Answers]:
        """Mean of each setting, observed and filled in, of shape (n,), and the disagreement, of shape (n, m)."""
        told = (known & (rng.random((self.members, *answers.shape), dtype=np.float32) >= self.dropped)).astype(
            np.float32
        )
        shown = told * answers
        rows = rng.standard_normal((self.members, 1, len(answers)), dtype=np.float32)
        columns, ridge = np.empty((self.members, 1, answers.shape[1]), dtype=np.float32), np.float32(self.ridge)
        for _ in range(self.rounds):
            columns = (rows @ shown) / (rows**2 @ told + ridge)
            across = columns.transpose(0, 2, 1)
            rows = ((shown @ across) / (told @ across**2 + ridge)).transpose(0, 2, 1)
        made = rows.transpose(0, 2, 1) * columns
        mean, spread = made.mean(axis=0), made.std(axis=0, ddof=1)
        return np.where(known, answers, mean).mean(axis=1, dtype=np.float64), np.where(known, np.float32(0), spread)


@dataclass(frozen=True, slots=True)
class Terminator:
    """Optuna's Terminator (Makarova et al., 2022) on its default sampler, TPE: ends where regret is below the noise.

    Trials answer so many examples each, as the study's do; the bound on the regret is a Gaussian process's, on the
    better half of the trials and from the twentieth on, and the noise that of five folds of the best trial's answers.

    Attributes:
        examples: Of every trial.
        folds: Of the answers.
    """

    examples: int = 160
    folds: int = 5

    def run(self, draws: Sequence[Draw], budget: int) -> Iterator[Step]:
        """Replay each draw, to the budget at most."""
        for at, draw in enumerate(draws):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what is experimental or deprecated
                step = self._replay(at, draw, budget)
            yield step

    def _replay(self, at: int, draw: Draw, budget: int) -> Step:
        import optuna
        from optuna import terminator

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=draw.search_seed))
        ends = terminator.Terminator(
            improvement_evaluator=terminator.RegretBoundEvaluator(seed=draw.search_seed),
            error_evaluator=terminator.CrossValidationErrorEvaluator(),
        )
        places: list[int] = []
        m = min(self.examples, draw.seen.shape[1])
        for _ in range(max(budget // m, 1)):
            trial = study.ask()
            x = np.array([trial.suggest_float(f"x{axis}", 0.0, 1.0) for axis in range(draw.pool.dim)])
            places.append(int(draw.pool.nearest(x[None])[0]))
            scores = [float(fold.mean()) for fold in np.array_split(draw.seen[places[-1], :m], self.folds)]
            terminator.report_cross_validation_scores(trial, scores)
            study.tell(trial, float(draw.totals[places[-1], m] / m))
            if ends.should_terminate(study):
                break
        best = places[study.best_trial.number]
        return Step(at, HIGHEST, len(places), m, len(places) * m, best, float(draw.totals[best, m] / m))
