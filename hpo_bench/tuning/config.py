"""What a study is about, and what must not change before it is continued."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from hpo_bench.benchmark.contender import Contender
from hpo_bench.errors import TuningError, UsageError
from hpo_bench.evaluation.metrics import TEACHER_FORCED, scoring_version
from hpo_bench.evaluation.options import without_secrets
from hpo_bench.evaluation.registry import VLLM
from hpo_bench.files import as_record
from hpo_bench.merging.methods import registry
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.scope import MergeScope
from hpo_bench.statistics.cross_fitting import FOLDS
from hpo_bench.tuning.command_line import Start, differences, start_as_typed
from hpo_bench.tuning.goal import Keep
from hpo_bench.tuning.space import COEFFICIENTS, DENSITY, MergeSpace, Range
from hpo_bench.tuning.trial import TrialCost
from landscapes.errors import LandscapeError
from landscapes.terms import budget_for
from optimizers import Optimizer, available

FORMAT = 1
"""Raised when studies of before cannot be continued."""
PLANNED = 0
"""Stands for a number of examples that is still to be chosen."""
_FOUND = ("starts", "trials", "learnt_from", "all_counted", "before_planning", "reckoned")
"""What is found when a study begins, and not asked for."""
OPTIMIZER, FRONT_OPTIMIZER = "gp-bo", "pareto-bo"
"""What looks for the maximum of a score, and for the front of two, where the user names nothing else."""
_OF_WEIGHTS = ("checkpoints", "merge", "language_prefixes")
"""What of a pair decides what a merge of it is."""
LEAST_TUNED = 2 * FOLDS
"""Examples from which a score can be cross-fitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyConfig:
    """All that decides which trials are made and what they mean.

    Budgets, prices, workers and timeouts are not in it but in `RunOptions`: they may change from one call to the next.

    Attributes:
        pair: Name of the pair.
        checkpoints: SHA-256 of its files, by role.
        evaluation: The pair's evaluation section.
        scoring_version: Of how its metric reads responses (`hpo_bench.evaluation.metrics.scoring_version`).
        methods: Merge methods that race, in the order of their turns.
        optimizer: The optimiser's name, or its address.
        optimizer_version: Of its trace.
        seed: Of the optimiser.
        mask_seed: Of DARE's masks.
        coefficients: Range of both coefficients.
        density: Range of densities.
        sum_to_one: Whether the coefficients must sum to one.
        begin_with: Where to begin, as the user wrote it.
        keep: An ability that must not be lost; None if the score is all that counts.
        starts: The same for each method, as points in the unit cube; found once and kept.
        examples: How many examples each trial answers, the first drawn of all there are, from which the honest score is
            cross-fitted; `PLANNED` while that is to be chosen. None for the split: trials answer its validation
            examples, and test examples tell the honest score.
        trials: How many trials were planned with that; None for those of the paper.
        learnt_from: Recorded landscapes that starts were learnt from.
        all_counted: Whether limits of time and money are those of all that the study does, as they are when one is
            begun now; false in studies of before, where they are those of the trials alone.
        before_planning: Whether it was begun before spending was planned, when there was nothing but the split.
        merge: What of the pair is merged, and in which dtype; None in studies of before, which did not keep it.
        language_prefixes: How names of its language tensors begin, where the pair says so; None likewise.
        reckoned: What a trial was reckoned to take, by a timed one; None where no limit asked for that.
    """

    pair: str
    checkpoints: Mapping[str, Mapping[str, str]]
    evaluation: Mapping[str, Any]
    methods: tuple[str, ...]
    optimizer: str
    optimizer_version: int
    scoring_version: int = 1
    seed: int = 0
    mask_seed: int = 0
    coefficients: Range = COEFFICIENTS
    density: Range = DENSITY
    sum_to_one: bool = False
    begin_with: tuple[str, ...] = ()
    keep: Keep | None = None
    starts: Mapping[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)
    examples: int | None = None
    trials: int | None = None
    learnt_from: tuple[str, ...] = ()
    all_counted: bool = False
    before_planning: bool = False
    merge: MergeScope | None = None
    language_prefixes: Mapping[str, str] | None = None
    reckoned: TrialCost | None = None

    @classmethod
    def of(
        cls,
        pair: Pair,
        *,
        methods: str | Sequence[str] = ("ta",),
        optimizer: str | None = None,
        seed: int = 0,
        mask_seed: int = 0,
        coefficients: Range = COEFFICIENTS,
        densities: Range = DENSITY,
        sum_to_one: bool = False,
        starts: Sequence[Start] = (),
        keep: str | None = None,
        at_most_below: float | None = None,
        front: bool = False,
        examples_each: int | None = None,
        hold_out: bool = False,
    ) -> Self:
        """Make one of what a user asks for; the pair's files, which take long to hash, are still to be filled in.

        The arguments are those of `hpo_bench.tune`.

        Raises:
            UsageError: If methods are missing or named twice, or what must be kept or answered makes no sense.
            OptimizerError: If there is no such optimiser.
        """
        words = [methods] if isinstance(methods, str) else methods
        named = tuple(name for word in words for name in word.split(","))
        if not named or len(set(named)) < len(named):
            raise UsageError("name one merge method, or several different ones to race")
        # Labels tell methods apart in tables, names in lines and files.
        called = {name: {registry.get(name).label, registry.get(name).name} for name in named}
        if alike := [one for one in named if any(one != other and called[one] & called[other] for other in named)]:
            raise UsageError(f"{' and '.join(alike)} are one method, or share a `label` or `name`; name one of them")
        if keep is None and at_most_below is not None:
            raise UsageError("--at-most-below needs --keep, the category of examples that it is about")
        if keep is None and front:
            raise UsageError("--front needs --keep, the category of examples whose score is the second goal")
        if hold_out and examples_each is not None:
            raise UsageError("give --examples-each or --hold-out, not both: the split says which examples are tuned on")
        if examples_each is not None and examples_each < LEAST_TUNED:
            raise UsageError(
                f"--examples-each {examples_each} are too few to cross-fit a score from; give {LEAST_TUNED} or more"
            )
        kept = None if keep is None else Keep(keep, front=front)
        if kept is not None and at_most_below is not None:
            kept = replace(kept, at_most_below=at_most_below)
        optimizer = optimizer or (FRONT_OPTIMIZER if front else OPTIMIZER)
        return cls(
            pair=pair.name,
            checkpoints={},
            evaluation=without_secrets(pair.evaluation),
            methods=named,
            optimizer=optimizer,
            optimizer_version=_searching(optimizer, goals=2 if front else 1).version,
            scoring_version=_scoring_version(pair.evaluation),
            seed=seed,
            mask_seed=mask_seed,
            coefficients=_range("coefficients", coefficients, such_as=COEFFICIENTS),
            density=_range("densities", densities, such_as=DENSITY),
            sum_to_one=sum_to_one,
            begin_with=tuple(map(start_as_typed, starts)),
            keep=kept,
            examples=None if hold_out else examples_each or PLANNED,
            merge=pair.merge,
            language_prefixes=dict(pair.language_prefixes),
        )

    @property
    def kind(self) -> type[Optimizer]:
        """The optimiser's class.

        Raises:
            OptimizerError: If there is no such optimiser here.
        """
        return Contender.find(self.optimizer).kind

    @property
    def default_name(self) -> str:
        """What a study is called whose user gave it no name."""
        methods = (registry.get(method).name for method in self.methods)
        return "-".join([self.pair, *methods, self.optimizer.rpartition(":")[2], str(self.seed)])

    @property
    def usual_trials(self) -> int:
        """How many trials the paper spends on as many hyperparameters.

        Raises:
            UsageError: If a method is unknown or a range makes no sense.
        """
        dim = max(self.space(method).dim for method in self.methods)
        return budget_for(dim)

    def space(self, method: str) -> MergeSpace:
        """The box of one of the methods."""
        return MergeSpace(method, self.coefficients, self.density, self.sum_to_one)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"format": FORMAT, **json.loads(json.dumps(asdict(self)))}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "what the study was begun with") -> Self:
        """What `as_dict` gave.

        Args:
            values: That.
            where: What to call it in messages.

        Raises:
            TuningError: If it comes from another version of hpo-bench, or is damaged.
        """
        cure = "begin another with --study"
        if not isinstance(values, Mapping):
            raise TuningError(f"{where} is damaged; {cure}")
        values = dict(values)
        if (found := values.pop("format", None)) != FORMAT:
            raise TuningError(
                f"{where} has format {found!r} and this hpo-bench reads format {FORMAT}; continue it with the version "
                "that began it"
            )
        values.setdefault("before_planning", "examples" not in values)
        values["evaluation"] = without_secrets(values.get("evaluation"))  # hpo-bench of before knew fewer of them
        config = as_record(values, cls, where=where, wrong=TuningError, cure=cure)
        try:
            if not config.methods:
                raise UsageError("no method races")
            for method in config.methods:
                dim = config.space(method).dim
                if any(len(point) != dim for point in config.starts.get(method, ())):
                    raise UsageError(f"a start of {method} is not {dim} numbers")
            if any(count is not None and count < 1 for count in (config.examples, config.trials)):
                raise UsageError(f"{config.trials} trials on {config.examples} examples are no plan")
        except (UsageError, LandscapeError) as error:
            raise TuningError(f"{where} is damaged ({error}); {cure}") from error
        return config

    def check_same(self, stored: Self, where: str) -> None:
        """Refuse to continue a study that was begun with something else.

        Args:
            stored: What the study was begun with.
            where: What to call the study.

        Raises:
            TuningError: If anything differs; the message says what, and what it was.
        """
        # Where the number of examples is still to be chosen, whatever was chosen then counts; but nobody gets the split
        # without asking for it, unless there was nothing else.
        chosen = self.examples == PLANNED and (stored.examples is not None or stored.before_planning)
        left_out = (*_FOUND, *(("examples",) if chosen else ()))
        if told := self._told(stored, [key for key in self.as_dict() if key not in left_out]):
            raise TuningError(
                f"study {where} was begun with other {told}; ask for the same again, or name another study with --study"
            )

    def check_same_weights(self, pair: Pair) -> None:
        """Refuse a pair of which the same setting is another merge than when the study was begun.

        Args:
            pair: As its file says now.

        Raises:
            TuningError: If its files or what of them is merged differ; the message says what, and what it was.
        """
        now = replace(
            self, checkpoints=pair.file_hashes(), merge=pair.merge, language_prefixes=dict(pair.language_prefixes)
        )
        if told := now._told(self, _OF_WEIGHTS):
            raise TuningError(f"pair {pair.name!r} is not as it was tuned on: other {told}; put it back as it was")

    def _told(self, stored: Self, keys: Iterable[str]) -> str:
        """What of some keys is other than in a stored one, for a sentence; what that one did not keep is not told."""
        then, now = stored.as_dict(), self.as_dict()
        unkept = {key for key in ("merge", "language_prefixes") if then[key] is None}
        return ", ".join(differences(then, {key: now[key] for key in keys if key not in unkept}))


def _scoring_version(evaluation: Mapping[str, Any]) -> int:
    """Of its metric, by the way in which responses come about."""
    decoded = evaluation.get("kind") == VLLM or evaluation.get("generate") is True
    return scoring_version(str(evaluation.get("metric", TEACHER_FORCED)), decoded=decoded)


def _searching(optimizer: str, *, goals: int) -> type[Optimizer]:
    """An optimiser's class, if it searches for so many goals."""
    kind = Contender.find(optimizer).kind
    if goals in kind.goals:
        return kind
    able = ", ".join(available(goals=goals))
    if goals == 1:
        raise UsageError(f"{kind.label} looks for the front of two goals: give --keep and --front, or one of {able}")
    raise UsageError(f"{kind.label} looks for one maximum and not for a front; --front takes one of {able}")


def _range(what: str, given: Sequence[float], *, such_as: Range) -> Range:
    try:
        low, high = map(float, given)
    except (TypeError, ValueError) as error:
        raise UsageError(f"a range of {what} is two numbers such as {such_as}, not {given!r}") from error
    return low, high
