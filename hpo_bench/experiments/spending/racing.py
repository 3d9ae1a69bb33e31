"""Plans that score many settings on few examples and go on with the best, as the literature has them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import chi2, rankdata
from scipy.stats import t as student

from hpo_bench.experiments.spending.pools import Draw
from hpo_bench.experiments.spending.whole import HIGHEST, Step
from optimizers.gp.model import Model

Places = NDArray[np.int64]
ETA = 3
"""Of successive halving and Hyperband (Li et al., 2018)."""


@dataclass(slots=True)
class Purse:
    """What is left of a budget, and how many examples each setting has answered.

    Attributes:
        draw: Whose answers are replayed.
        left: Evaluations left.
        seen: Examples answered so far by setting, of shape (n,).
    """

    draw: Draw
    left: int
    seen: Places

    @classmethod
    def of(cls, draw: Draw, budget: int) -> Self:
        """A whole budget."""
        return cls(draw, budget, np.zeros(len(draw.pool.X), dtype=np.int64))

    def grow(self, places: Places, examples: int) -> bool:
        """Score settings on the first so many examples; those answered before cost nothing. False if too dear."""
        places = np.unique(places)
        cost = int(np.maximum(examples - self.seen[places], 0).sum())
        if cost > self.left:
            return False
        self.left -= cost
        self.seen[places] = np.maximum(self.seen[places], examples)
        return True

    def scores(self, places: Places, examples: int) -> NDArray[np.float64]:
        """Mean scores of settings over the first so many examples."""
        return self.draw.totals[places, examples].astype(float) / examples

    def step(self, at: int, budget: int) -> Step:
        """The highest score among settings that answered most examples."""
        most = int(self.seen.max())
        held = np.flatnonzero(self.seen == most)
        scores = self.scores(held, most)
        best = int(scores.argmax())
        settings = int((self.seen > 0).sum())
        return Step(at, HIGHEST, settings, most, budget - self.left, int(held[best]), float(scores[best]))


@dataclass(frozen=True, slots=True)
class Halving:
    """Successive halving over examples (Jamieson & Talwalkar, 2016): 27 random settings, the best 9, the best 3.

    The examples of the first round are as many as spend the budget.
    """

    def run(self, draws: Sequence[Draw], budget: int) -> Iterator[Step]:
        """Replay each draw."""
        counts = (27, 9, 3)
        for at, draw in enumerate(draws):
            purse, rng = Purse.of(draw, budget), generator(draw, 1)
            places = random_places(draw, counts[0], rng)
            # Each round triples the examples: 27 r + 9 * 2 r + 3 * 6 r.
            first = max(budget // 63, 1)
            for round_, count in enumerate(counts):
                examples = min(first * ETA**round_, draw.seen.shape[1])
                if round_:
                    places = _top(places, purse.scores(places, min(first * ETA ** (round_ - 1), examples)), count)
                purse.grow(places, examples)
            yield purse.step(at, budget)


@dataclass(frozen=True, slots=True)
class Hyperband:
    """Hyperband over examples, eta 3 (Li et al., 2018), from a 27th of the examples on; settings at random.

    The most examples of a setting are as many as make one run of all brackets spend the budget.
    """

    def run(self, draws: Sequence[Draw], budget: int) -> Iterator[Step]:
        """Replay each draw."""
        for at, draw in enumerate(draws):
            purse, rng = Purse.of(draw, budget), generator(draw, 2)
            most = int(np.clip(budget // 12, 27, draw.seen.shape[1]))
            while purse.left and self._brackets(purse, most, rng):
                pass
            yield purse.step(at, budget)

    @staticmethod
    def _brackets(purse: Purse, most: int, rng: np.random.Generator) -> bool:
        for deepest in range(3, -1, -1):
            count = int(np.ceil(4 / (deepest + 1) * ETA**deepest))
            places = random_places(purse.draw, count, rng)
            for rung in range(deepest, -1, -1):
                examples = most // ETA**rung
                if not purse.grow(places, examples):
                    return False
                places = _top(places, purse.scores(places, examples), max(len(places) // ETA, 1))
        return bool((purse.seen == 0).any())


@dataclass(frozen=True, slots=True)
class FRace:
    """F-race (Birattari et al., 2002): blocks of ten examples; a Friedman test at .05 after each from the fifth on.

    25 random settings; those significantly worse than the best by Conover's comparisons are dropped.
    """

    block: int = 10
    least: int = 5
    level: float = 0.05

    def run(self, draws: Sequence[Draw], budget: int) -> Iterator[Step]:
        """Replay each draw."""
        for at, draw in enumerate(draws):
            purse = Purse.of(draw, budget)
            alive = np.unique(random_places(draw, 25, generator(draw, 3)))
            sums = draw.seen[alive][:, : draw.seen.shape[1] // self.block * self.block]
            sums = sums.reshape(len(alive), -1, self.block).sum(axis=2)
            for blocks in range(1, sums.shape[1] + 1):
                if not purse.grow(alive, blocks * self.block):
                    break
                if blocks >= self.least and len(alive) > 1:
                    kept = self._kept(sums[:, :blocks])
                    alive, sums = alive[kept], sums[kept]
            yield purse.step(at, budget)

    def _kept(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which settings stay, by their scores of shape (k, blocks)."""
        k, n = scores.shape
        ranks = rankdata(-scores, axis=0)
        total = ranks.sum(axis=1)
        squares = np.square(ranks).sum()
        constant = n * k * (k + 1) ** 2 / 4
        spread = squares - constant
        if spread <= 0:
            return np.ones(k, dtype=bool)
        statistic = (k - 1) * (np.square(total).sum() - n * constant) / spread
        if chi2.sf(statistic, k - 1) >= self.level:
            return np.ones(k, dtype=bool)
        freedom = (n - 1) * (k - 1)
        width = np.sqrt(max(2 * n * (1 - statistic / (n * (k - 1))) * spread / freedom, 0.0))
        return total - total.min() <= student.ppf(1 - self.level / 2, freedom) * width


@dataclass(frozen=True, slots=True)
class UcbE:
    """UCB-E (Audibert, Bubeck & Munos, 2010) as in Zhou et al. (2025), without the low-rank factorisation.

    25 random settings; each batch of 32 goes to the setting of the highest score plus the root of the exploration over
    the number of its answers, one that has none first. Settings, exploration 1 and examples that each setting draws for
    itself are as in the authors' package, github.com/kilian-group/banditeval.
    """

    batch: int = 32
    exploration: float = 1.0

    def run(self, draws: Sequence[Draw], budget: int) -> Iterator[Step]:
        """Replay each draw."""
        for at, draw in enumerate(draws):
            rng = generator(draw, 4)
            arms = np.unique(random_places(draw, 25, rng))
            answers = rng.permuted(draw.seen[arms], axis=1).cumsum(axis=1, dtype=np.float64)
            every, most = np.arange(len(arms)), draw.seen.shape[1]
            seen, means = np.zeros(len(arms), dtype=np.int64), np.zeros(len(arms))
            batch, left = min(self.batch, max(budget // len(arms), 1)), budget
            while left and (seen < most).any():
                bound = np.where(seen, means + np.sqrt(self.exploration / np.maximum(seen, 1)), np.inf)
                arm = int(np.where(seen < most, bound, -np.inf).argmax())
                more = min(batch, most - int(seen[arm]), left)
                seen[arm] += more
                left -= more
                means = answers[every, np.maximum(seen, 1) - 1] / np.maximum(seen, 1)
            best = int(np.where(seen, means, -np.inf).argmax())
            settings = int((seen > 0).sum())
            yield Step(at, HIGHEST, settings, int(seen[best]), budget - left, int(arms[best]), float(means[best]))


@dataclass(frozen=True, slots=True)
class HbBops:
    """HbBoPs (Schneider et al., 2025): Hyperband, eta 2, from ten examples on, new settings by a GP.

    The GP is GP-BO's, of the scores at the most examples that four settings or more have answered, with expected
    improvement over the recorded settings, one time in ten at random instead; the paper's is of embedded prompts, of
    which there are none here.
    """

    least: int = 10
    at_random: float = 0.1

    def run(self, draws: Sequence[Draw], budget: int) -> Iterator[Step]:
        """Replay each draw."""
        for at, draw in enumerate(draws):
            purse, rng = Purse.of(draw, budget), generator(draw, 5)
            # A run of all brackets of s + 1 rungs costs about (s + 1)^2 / 2 times the most examples of a setting.
            deepest = next(
                s for s in range(12, -1, -1)
                if s == 0 or self.least * 2**s <= min(draw.seen.shape[1], 2 * budget / (s + 1) ** 2)
            )  # fmt: skip
            while purse.left and self._brackets(purse, deepest, rng):
                pass
            yield purse.step(at, budget)

    def _brackets(self, purse: Purse, top: int, rng: np.random.Generator) -> bool:
        most = self.least * 2**top
        for deepest in range(top, -1, -1):
            count = int(np.ceil((top + 1) / (deepest + 1) * 2**deepest))
            chosen: list[int] = []
            for _ in range(min(count, int((purse.seen == 0).sum()))):
                place = self._proposal(purse, rng)
                if not purse.grow(np.array([place]), most // 2**deepest):
                    return False
                chosen.append(place)
            places = np.array(chosen, dtype=np.int64)
            for rung in range(deepest - 1, -1, -1):
                if not len(places):
                    break
                places = _top(places, purse.scores(places, most // 2 ** (rung + 1)), max(len(places) // 2, 1))
                if not purse.grow(places, most // 2**rung):
                    return False
        return bool((purse.seen == 0).any())

    def _proposal(self, purse: Purse, rng: np.random.Generator) -> int:
        fresh = np.flatnonzero(purse.seen == 0)
        levels, counts = np.unique(purse.seen[purse.seen > 0], return_counts=True)
        enough = [level for level in levels if counts[levels >= level].sum() >= 4]
        if not enough or rng.random() < self.at_random:
            return int(rng.choice(fresh))
        level = int(max(enough))
        held = np.flatnonzero(purse.seen >= level)
        model = Model.fit(purse.draw.pool.X[held], purse.scores(held, level))
        mean, deviation = model.predict(purse.draw.pool.X[fresh])
        gain = mean - purse.scores(held, level).max()
        z = gain / deviation
        return int(fresh[(gain * ndtr(z) + deviation * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)).argmax()])


def generator(draw: Draw, plan: int) -> np.random.Generator:
    """Random numbers of a plan on a draw."""
    return np.random.default_rng([draw.seed, plan, *draw.pool.name.encode()])


def random_places(draw: Draw, count: int, rng: np.random.Generator) -> Places:
    """Settings uniform over the box, rounded to recorded ones; each once, so that there may be fewer."""
    return np.unique(draw.pool.nearest(rng.random((count, draw.pool.dim))))


def _top(places: Places, scores: NDArray[np.float64], count: int) -> Places:
    return places[np.argsort(-scores, kind="stable")[:count]]
