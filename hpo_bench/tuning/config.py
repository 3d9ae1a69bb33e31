"""What a study is about, and what must not change before it is continued."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from hpo_bench.errors import LiveError, UsageError
from hpo_bench.files import as_record
from hpo_bench.tuning.goal import Keep
from hpo_bench.tuning.space import COEFFICIENTS, DENSITY, MergeSpace, Range
from landscapes.errors import LandscapeError

FORMAT = 1
"""Raised when studies of before cannot be continued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyConfig:
    """All that decides which trials are made and what they mean.

    Budgets, prices, workers and timeouts are not in it: they may change from one call to the next.

    Attributes:
        pair: Name of the pair.
        checkpoints: SHA-256 of its files, by role.
        evaluation: The pair's evaluation section.
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
    """

    pair: str
    checkpoints: Mapping[str, Mapping[str, str]]
    evaluation: Mapping[str, Any]
    methods: tuple[str, ...]
    optimizer: str
    optimizer_version: int
    seed: int = 0
    mask_seed: int = 0
    coefficients: Range = COEFFICIENTS
    density: Range = DENSITY
    sum_to_one: bool = False
    begin_with: tuple[str, ...] = ()
    keep: Keep | None = None
    starts: Mapping[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)

    def space(self, method: str) -> MergeSpace:
        """The box of one of the methods."""
        return MergeSpace(method, self.coefficients, self.density, self.sum_to_one)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"format": FORMAT, **_plain(asdict(self))}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `as_dict` gave.

        Raises:
            LiveError: If it comes from another version of hpo-bench, or is damaged.
        """
        where, cure = "what the study was begun with", "begin another with --study"
        if not isinstance(values, Mapping):
            raise LiveError(f"{where} is damaged; {cure}")
        values = dict(values)
        if (found := values.pop("format", None)) != FORMAT:
            raise LiveError(
                f"the study has format {found!r} and this hpo-bench reads format {FORMAT}; continue it with the "
                "version that began it"
            )
        config = as_record(values, cls, where=where, wrong=LiveError, cure=cure)
        try:
            if not config.methods:
                raise UsageError("no method races")
            for method in config.methods:
                dim = config.space(method).dim
                if any(len(point) != dim for point in config.starts.get(method, ())):
                    raise UsageError(f"a start of {method} is not {dim} numbers")
        except (UsageError, LandscapeError) as error:
            raise LiveError(f"{where} is damaged ({error}); {cure}") from error
        return config

    def check_same(self, stored: Self, where: str) -> None:
        """Refuse to continue a study that was begun with something else.

        Args:
            stored: What the study was begun with.
            where: What to call the study.

        Raises:
            LiveError: If anything differs; the message says what, and what it was.
        """
        ours = self.as_dict()
        theirs = stored.as_dict()
        changed = [key for key in ours if ours[key] != theirs[key] and key != "starts"]
        if not changed:
            return
        told = [
            "files of the pair"
            if key == "checkpoints"
            else f"{key} ({_short(theirs[key])} then, {_short(ours[key])} now)"
            for key in changed
        ]
        raise LiveError(
            f"study {where} was begun with other {', '.join(told)}; ask for the same again, or name another study with "
            "--study"
        )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
