"""Coins of tasks fall the same way in whatever company a document is scored, and nobody else's do otherwise."""
# ruff: noqa: S311

import random
import time
from concurrent.futures import ThreadPoolExecutor

from hpo_bench.evaluation.lmms.coins import Coins


def test_coins_do_not_depend_on_who_is_scored_beside() -> None:
    coins, choose = Coins(), random.choice

    def tossed(number: int) -> list[float]:
        with coins.of(f"document-{number}"):
            first = random.random()
            time.sleep(0.002 * (number % 3))
            return [first, choose(range(1000)), random.randint(0, 99), random.getrandbits(9)]

    random.seed(3)
    before = random.getstate()
    with coins.dealt():
        alone = [tossed(number) for number in range(16)]
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(tossed, range(16))) == alone
        assert len({first for first, *_ in alone}) == 16
    assert random.getstate() == before
    with coins.dealt(), coins.of("document-0"):
        random.seed(5)
        assert random.random() == random.Random(5).random(), "a task's own seed is for its document"
    assert random.getstate() == before
    expected = random.Random("document-0")
    assert alone[0][:2] == [expected.random(), expected.choice(range(1000))], "as the global generator, seeded"


def test_who_scores_nothing_draws_as_ever() -> None:
    drawn = []
    for coins in (None, Coins()):
        random.seed(3)
        if coins is None:
            drawn.append([random.random(), random.choice(range(99))])
        else:
            with coins.dealt():
                drawn.append([random.random(), random.choice(range(99))])
    assert drawn[0] == drawn[1]
    assert not {"random", "getrandbits", "seed"} & set(vars(random._inst))  # type: ignore[attr-defined]
