"""Two results folders side by side: has any optimiser become worse?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hpo_bench.benchmark.result import END, OVERALL, SINCE
from hpo_bench.benchmark.runs import read_runs
from hpo_bench.benchmark.tables import when
from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import counted, interval, listed, number, p_value, some
from hpo_bench.errors import ResultsError, UsageError
from hpo_bench.files import sha256
from hpo_bench.statistics.comparisons import SIGNIFICANT, Comparison, duel, holm
from hpo_bench.statistics.cube import Cube
from hpo_bench.statistics.intervals import LEAST_UNITS, Intervals
from hpo_bench.statistics.ratios import over_random
from landscapes.errors import UnreadableError
from landscapes.written import as_plain, read_json

CONDITIONS = {"noisy": "--noisy", "start": "--initial"}
"""What both must have in common, by the option that sets it."""
RUNS = "runs.parquet"


@dataclass(frozen=True, slots=True)
class Changed:
    """An optimiser then and now.

    Attributes:
        identity: Of the optimiser.
        label: What tables call it.
        before: Its mean regret over Random's in the first folder.
        after: In the second.
        found: The second against the first; positive differences are in favour of the second.
    """

    identity: str
    label: str
    before: float
    after: float
    found: Comparison

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `open`: the paired interval and, for six pairs or more, the adjusted test must agree."""
        if np.isfinite(self.found.p) and self.found.p >= SIGNIFICANT:
            return "open"
        return "better" if self.found.difference.low > 0 else "worse" if self.found.difference.high < 0 else "open"


@dataclass(frozen=True, slots=True)
class Regression:
    """What two results folders have in common, compared.

    Attributes:
        at: When: the mean from the tenth evaluation on ("t>=10"), or the end of shorter budgets.
        landscapes: The same landscapes in both.
        pairs: Of how many pairs these are; of one alone, intervals show the luck of its seeds.
        seeds: The same seeds in both.
        left_out: Landscapes and optimisers that are in one alone, or differ.
        optimizers: Those in both.
    """

    at: str
    landscapes: tuple[str, ...]
    pairs: int
    seeds: int
    left_out: tuple[str, ...]
    optimizers: tuple[Changed, ...]

    @property
    def worse(self) -> list[str]:
        """Labels of the optimisers that are significantly worse in the second."""
        return [one.label for one in self.optimizers if one.verdict == "worse"]

    def table(self) -> TextTable:
        """A row an optimiser."""
        heads = ("before", "after", "improvement [95%]", "landscapes better : worse", "p (Wilcoxon, Holm)", "verdict")
        rows = tuple(
            Row(
                one.label,
                (
                    number(one.before),
                    number(one.after),
                    interval(one.found.difference.as_json()),
                    f"{one.found.better} : {one.found.worse}",
                    p_value(one.found.p),
                    one.verdict.upper() if one.verdict == "worse" else one.verdict,
                ),
                one.identity,
            )
            for one in self.optimizers
        )
        return TextTable(("optimiser", *heads), rows)

    def sentences(self) -> list[str]:
        """What the table does not say."""
        units = "pairs" if self.pairs > 1 else "the seeds of one pair"
        said = [
            f"Mean regret over Random's ({when(self.at)}; lower is better) on "
            f"{counted(len(self.landscapes), 'landscape')}, {counted(self.seeds, 'seed')}; paired 95% intervals over "
            f"{units}, positive where the second folder is better."
        ]
        if self.left_out:
            said.append(f"Left out, as not the same in both: {some(self.left_out, 5)}.")
        if unknown := [one.label for one in self.optimizers if np.isnan(one.found.difference.low)]:
            said.append(
                f"Of {listed(unknown)} nothing can be said: intervals take landscapes of {LEAST_UNITS} pairs or more, "
                f"or {LEAST_UNITS} seeds of one."
            )
        return [*said, f"Significantly worse: {', '.join(self.worse) or 'none'}."]

    def as_json(self) -> dict:
        """The same as plain JSON values; what is undefined is null."""
        return {
            "at": self.at,
            "landscapes": list(self.landscapes),
            "pairs": self.pairs,
            "seeds": self.seeds,
            "left_out": list(self.left_out),
            "worse": self.worse,
            "optimizers": {
                one.identity: {
                    "before": as_plain(one.before),
                    "after": as_plain(one.after),
                    "improvement": one.found.difference.as_json(),
                    "better_on": one.found.better,
                    "worse_on": one.found.worse,
                    "p_holm": one.found.p if np.isfinite(one.found.p) else None,
                    "verdict": one.verdict,
                }
                for one in self.optimizers
            },
        }


def compare_results(before: Path, after: Path) -> Regression:
    """Compare what two results folders have in common: the same optimisers, landscapes, budgets and seeds.

    Runs with the same seed begin alike, so that differences are paired by landscape and seed.

    Args:
        before: A results folder.
        after: Another, which is asked whether it is worse.

    Raises:
        ResultsError: If a folder has no results, they are damaged, or its summary is of other runs than lie there.
        UsageError: If they have nothing in common, or were made under other conditions.
    """
    first, second = _summary(before), _summary(after)
    for key, option in CONDITIONS.items():
        if first[key] != second[key]:
            raise UsageError(
                f"{before} and {after} differ in {option} ({first[key]} and {second[key]}), so that their regrets are "
                f"of different things; make one of them again with the other's"
            )
    landscapes = _common(first, second)
    identities = [one for one in first["optimizers"] if one in second["optimizers"]]
    if not landscapes or not identities:
        what = "landscape with the same content and budget" if not landscapes else "optimiser"
        raise UsageError(f"{before} and {after} have no {what} in common; nothing can be compared")
    cubes = [
        Cube.of(read_runs(folder / RUNS, ()), "regret", problems=list(landscapes), optimizers=identities)
        for folder in (before, after)
    ]
    seeds = min(cube.values.shape[2] for cube in cubes)
    at = OVERALL if min(cube.budgets.min() for cube in cubes) > SINCE else END
    regrets = [cube.since(SINCE) if at == OVERALL else cube.at() for cube in cubes]
    random = np.array([one["random_regret"][at] for one in landscapes.values()])
    intervals = Intervals([one["pair"] for one in landscapes.values()])
    then, now = ({one: own[one][:, :seeds] for one in identities} for own in regrets)
    found = holm([duel(one, now[one], then[one], random, intervals=intervals) for one in identities])
    return Regression(
        at,
        tuple(landscapes),
        len(set(intervals.pairs)),
        seeds,
        tuple(_left_out(first, second, landscapes)),
        tuple(
            Changed(
                one.other,
                second["optimizers"][one.other],
                float(over_random(then[one.other].mean(), random.mean())),
                float(over_random(now[one.other].mean(), random.mean())),
                one,
            )
            for one in found
        ),
    )


def _summary(folder: Path) -> dict[str, Any]:
    """What a folder's `summary.json` says, as far as a comparison needs it, of the very runs that lie beside it."""
    cure = f"run `hpo-bench run --results {folder}` with the options that made it"
    try:
        content = read_json(folder / "summary.json")
    except UnreadableError as error:
        raise ResultsError(f"{error}; make it with `hpo-bench run --results {folder}`") from error
    try:
        found = {key: content[key] for key in CONDITIONS}
        found["optimizers"] = {name: str(one["label"]) for name, one in content["optimizers"].items()}
        found["landscapes"] = [
            {
                **{key: str(one[key]) for key in ("name", "pair", "content_hash")},
                "budget": int(one["budget"]),
                "random_regret": {
                    at: float(one["random_regret"][at])
                    for at in (END, *([OVERALL] if int(one["budget"]) > SINCE else []))
                },
            }
            for one in content["landscapes"]
        ]
        whole = all(math.isfinite(regret) for one in found["landscapes"] for regret in one["random_regret"].values())
        runs = content["files"][RUNS]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultsError(f"{folder / 'summary.json'} is not of this version, or damaged; {cure}") from error
    if not whole:
        raise ResultsError(f"{folder / 'summary.json'} is damaged; {cure}")
    if (folder / RUNS).is_file() and sha256(folder / RUNS) != runs:
        raise ResultsError(
            f"{folder / 'summary.json'} is of other runs than {folder / RUNS}, as where a run was ended between the "
            f"two; {cure}"
        )
    return found


def _common(first: Mapping, second: Mapping) -> dict[str, Mapping]:
    """Landscapes that are the same in both, and were searched with the same budget, by name."""
    known = {one["name"]: (one["content_hash"], one["budget"]) for one in first["landscapes"]}
    return {
        one["name"]: one
        for one in second["landscapes"]
        if known.get(one["name"]) == (one["content_hash"], one["budget"])
    }


def _left_out(first: Mapping, second: Mapping, landscapes: Mapping[str, Mapping]) -> list[str]:
    names = {one["name"] for content in (first, second) for one in content["landscapes"]} - set(landscapes)
    return sorted(names) + sorted(set(first["optimizers"]) ^ set(second["optimizers"]))
