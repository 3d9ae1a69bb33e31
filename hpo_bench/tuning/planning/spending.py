"""How a budget is best spent: on how many settings, each scored on how many examples."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import exp
from typing import Self

from hpo_bench.errors import UsageError
from hpo_bench.tuning.trial import TrialCost

LEAST_SETTINGS, MOST_SETTINGS = 5, 200
"""Four settings are the search's first look, and where the model below begins to hold."""
LEAST_EXAMPLES = 20
DISAGREEMENT = 0.05
"""Share of examples on which good neighbouring settings differ: .04 to .06 on nano pairs, .02 to .08 on larger ones."""
Z95 = 1.96
ALIKE = 0.05
"""Plans whose expected losses differ by less, in points, are alike: the model knows no better."""


@dataclass(frozen=True, slots=True)
class LossModel:
    """What tuning is expected to lose on unseen examples, against the best setting there is.

    Two things are lost. The search stops short of the optimum: on a smooth surface every further setting takes the same
    share off that. And what looks best on the examples at hand is lucky: good settings differ on few examples, the
    error of such a difference falls with the root of the number of examples, and the loss by luck with it.

    Fitted by `hpo-bench spending` to replays of GP-BO on real answers of nano pairs: in two dimensions to the fine
    grids of Task Arithmetic, in three to DARE and TIES in the box of the recorded grids. How far it is from later
    replays, and from landscapes that were kept back, is in `docs/spending/spending.md`.

    Attributes:
        search: Points lost by stopping after eight settings.
        pace: Settings that bring this down to a third (by a factor of e).
        luck: Points lost by choosing on 400 examples.
    """

    search: float
    pace: float
    luck: float

    def loss(self, settings: float, examples: float) -> float:
        """Expected loss in points of accuracy.

        Args:
            settings: How many are scored, five or more: the first four do not learn from each other.
            examples: On how many examples each.
        """
        return self.search * exp((8 - settings) / self.pace) + self.luck * (examples / 400) ** -0.5


MODELS = {2: LossModel(0.15, 1.9, 0.70), 3: LossModel(1.10, 5.8, 0.90)}
"""By number of hyperparameters; further ones are taken for three, fewer for two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """A plan: so many settings, each scored on the same so many examples.

    Attributes:
        settings: How many merges are made.
        examples: How many distinct examples each of them answers.
        expected_loss: Points of accuracy that the recommended merge is expected to lose on unseen examples, against the
            best merge there is.
        told_apart: Points by which two good neighbouring settings must differ for these examples to tell them apart.
        seconds: What it takes, with all that is counted beside the settings, where seconds were given.
        dollars: What it costs likewise, where prices were given.
    """

    settings: int
    examples: int
    expected_loss: float
    told_apart: float
    seconds: float = 0.0
    dollars: float = 0.0

    @property
    def evaluations(self) -> int:
        """Examples evaluated in all."""
        return self.settings * self.examples


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a merge and an example take.

    Attributes:
        merge_seconds: One merge.
        example_seconds: One example's answer.
        hourly: Dollars an hour of the device.
        example_dollars: What a judge charges for an example.
    """

    merge_seconds: float = 0.0
    example_seconds: float = 0.0
    hourly: float = 0.0
    example_dollars: float = 0.0

    @classmethod
    def of(cls, cost: TrialCost, examples: int, *, hourly: float = 0.0) -> Self:
        """What a trial on so many examples tells of any other."""
        each = max(examples, 1)
        return cls(
            merge_seconds=cost.merge_seconds, example_seconds=cost.eval_seconds / each, hourly=hourly,
            example_dollars=cost.dollars / each,
        )  # fmt: skip

    def seconds(self, settings: float, examples: int) -> float:
        """Seconds of so many settings on so many examples."""
        return settings * (self.merge_seconds + examples * self.example_seconds)

    def trial(self, examples: int) -> TrialCost:
        """A trial on so many examples."""
        return TrialCost(
            merge_seconds=self.merge_seconds, eval_seconds=examples * self.example_seconds,
            dollars=examples * self.example_dollars,
        )  # fmt: skip

    def dollars(self, settings: float, examples: int) -> float:
        """Dollars likewise."""
        return self.seconds(settings, examples) / 3600 * self.hourly + settings * examples * self.example_dollars


def model_of(dim: int) -> LossModel:
    """The model of so many hyperparameters, or of the nearest number that was measured."""
    return MODELS[min(max(dim, min(MODELS)), max(MODELS))]


def told_apart(examples: int) -> float:
    """Points by which two good neighbouring settings must differ for so many examples to tell them apart at 95%."""
    return 100 * Z95 * (DISAGREEMENT / examples) ** 0.5


def plan_spending(
    examples: int,
    *,
    dim: int = 2,
    evaluations: float | None = None,
    seconds: float | None = None,
    dollars: float | None = None,
    merge_seconds: float = 0.0,
    example_seconds: float = 0.0,
    hourly: float = 0.0,
    example_dollars: float = 0.0,
    settings: int | None = None,
    each: int | None = None,
    beside: float = 0.0,
    model: LossModel | None = None,
) -> Spending:
    """How many settings to score on how many examples, so that the merge chosen is expected to lose least.

    Args:
        examples: How many examples there are.
        dim: Number of hyperparameters: 2 for Task Arithmetic, 3 for DARE and TIES.
        evaluations: The budget in example evaluations: settings times examples of each. One of these three.
        seconds: The budget in seconds of a device.
        dollars: The budget in dollars.
        merge_seconds: What one merge takes.
        example_seconds: What one example takes.
        hourly: Dollars an hour of a device.
        example_dollars: What a judge charges for an example.
        settings: How many settings, where that is settled.
        each: On how many examples each, likewise.
        beside: How many merges are scored beside the settings, each on as many examples, for the same budget.
        model: What is expected to be lost; by default that of `MODELS` for as many hyperparameters.

    Returns:
        The plan. Of those within .05 points of the least expected loss the one with the fewest settings.

    Raises:
        UsageError: If not just one budget is given, if that is one of time or money and nothing costs any, or if it
            does not buy five settings on twenty examples, or what is settled.

    Examples:
        >>> plan = plan_spending(4000, evaluations=6400)
        >>> plan.settings < 20 and plan.examples > 320
        True
    """
    given = {"evaluations": evaluations, "seconds": seconds, "dollars": dollars}
    budgets = {name: value for name, value in given.items() if value is not None}
    if len(budgets) != 1:
        raise UsageError("a plan needs one budget: evaluations, seconds or dollars")
    unit, budget = next(iter(budgets.items()))
    prices = Prices(
        merge_seconds=merge_seconds, example_seconds=example_seconds, hourly=hourly, example_dollars=example_dollars
    )

    def cost(settings: int, count: int) -> float:
        merges = settings + beside
        return merges * count if unit == "evaluations" else getattr(prices, unit)(merges, count)

    if not cost(1, 1) > 0:
        raise UsageError(f"a budget in {unit} needs what an example takes: example_seconds, and hourly for dollars")
    few = min(LEAST_EXAMPLES, examples) if each is None else min(each, examples)
    most = examples if each is None else few
    able = range(LEAST_SETTINGS, MOST_SETTINGS + 1) if settings is None else range(settings, settings + 1)
    plans = list(_affordable(able, few, most, model or model_of(dim), budget, cost, prices, beside))
    if not plans:
        compared = f", and {beside:.3g} merges beside them," if beside else ""
        raise UsageError(
            f"{budget:g} {unit} do not buy {able[0]} settings{compared} on {few} examples, which take "
            f"{cost(able[0], few):g}; "
            + ("below that nothing can be told" if settings is None and each is None else "ask for fewer")
        )
    least = min(plan.expected_loss for plan in plans)
    return next(plan for plan in plans if plan.expected_loss <= least + ALIKE)


def _affordable(
    able: range,
    few: int,
    most: int,
    model: LossModel,
    budget: float,
    cost: Callable[[int, int], float],
    prices: Prices,
    beside: float,
) -> Iterator[Spending]:
    """For each number of settings the plan with the most examples that the budget buys."""
    for settings in able:
        fixed, each = cost(settings, 0), cost(settings, 1) - cost(settings, 0)
        count = min(most, int((budget - fixed) / each + 1e-9))
        if count >= few and count > 0:
            yield spending(settings, count, model=model, prices=prices, beside=beside)


def spending(settings: int, examples: int, *, model: LossModel, prices: Prices, beside: float = 0.0) -> Spending:
    """What so many settings on so many examples each take, and are expected to lose.

    Args:
        settings: How many.
        examples: On how many each.
        beside: How many merges are scored beside them, likewise.
        model: What is expected to be lost.
        prices: What a merge and an example take; nothing where that is not known.
    """
    return Spending(
        settings=settings,
        examples=examples,
        expected_loss=model.loss(settings, examples),
        told_apart=told_apart(examples),
        seconds=prices.seconds(settings + beside, examples),
        dollars=prices.dollars(settings + beside, examples),
    )
