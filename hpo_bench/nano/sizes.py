"""How large language models are built."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """How large a language model is.

    Attributes:
        width: Of a hidden state.
        layers: How many.
        heads: Attention heads, each 32 wide.
        feed_forward: Width between the two halves of a feed-forward layer.
        about: How many parameters that makes, in words.
    """

    width: int = 128
    layers: int = 4
    heads: int = 4
    feed_forward: int = 256
    about: str = "a million"

    @property
    def few_heads(self) -> int:
        """Key-value heads where they are grouped."""
        return self.heads // 2


NANO = Size()
"""Of every pair that landscapes are recorded from: 0.8 million parameters."""
LARGER = {
    "3m": Size(width=256, layers=4, heads=8, feed_forward=512, about="three million"),
    "10m": Size(width=384, layers=6, heads=12, feed_forward=896, about="ten million"),
}
"""Further rungs of the ladders that show what size changes."""
