"""What optimisers and everything around them are drawn with, the same in every figure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """How an optimiser is drawn, so that it is known without its colour, too.

    Attributes:
        colour: At least 3:1 against white and against the dark ground of pages.
        marker: Of its marks.
        dashes: Of its lines.
    """

    colour: str
    marker: str
    dashes: str | tuple[float, tuple[float, ...]]


# After Okabe and Ito (2008), in the range of lightness that is seen on white and on dark; told apart by readers who see
# no green, too. The yardstick is grey because it competes with nobody.
LOOKS = {
    "gp-bo": Look("#0072B2", "o", "-"),
    "cma-es": Look("#CC3F00", "s", (0, (6, 2))),
    "pattern-search": Look("#00A17A", "^", (0, (3, 1.2))),
    "powell": Look("#BC57A3", "v", (0, (5, 1.5, 1, 1.5))),
    "sobol": Look("#3A9BDC", "D", (0, (1, 1.2))),
    "grid": Look("#A68B00", "P", (0, (8, 1.5, 1, 1.5, 1, 1.5))),
    "random": Look("#6B7280", "X", (0, (2, 2.5))),
}
COLOURS = {identity: look.colour for identity, look in LOOKS.items()}
# After Tol's muted scheme, for optimisers that we do not know.
OTHERS = tuple(
    Look(colour, marker, dashes)
    for colour, marker, dashes in zip(
        ("#6E63C4", "#B04A78", "#848422", "#1E8449", "#A855A8", "#2F9082", "#B0543C", "#4E8FB0"),
        "*<>hpdH8",
        ((0, (4, 1)), (0, (7, 3)), (0, (1, 3)), (0, (3, 3)), (0, (9, 2)), (0, (4, 1, 1, 1)), (0, (6, 1, 2, 1)), "-"),
        strict=True,
    )
)
INK, FAINT, BAND = "#1F2933", "#7B8794", "#E4E7EB"
SOFT, DEEP_BAND, RULE = "#616E7C", "#CBD2D9", "#EDF0F3"


def looks(identities: Iterable[str]) -> dict[str, Look]:
    """How each optimiser is drawn, the same in every figure."""
    identities = list(identities)
    unknown = [identity for identity in identities if identity not in LOOKS]
    return {
        **{identity: LOOKS[identity] for identity in identities if identity in LOOKS},
        **{identity: OTHERS[i % len(OTHERS)] for i, identity in enumerate(unknown)},
    }


def colours(identities: Iterable[str]) -> dict[str, str]:
    """A colour for each optimiser, the same in every figure."""
    return {identity: look.colour for identity, look in looks(identities).items()}
