"""What can go wrong in this package, as one tree."""


class LandscapeError(Exception):
    """Root of every error that this package raises on purpose."""


class InvalidGridError(LandscapeError, ValueError):
    """A recorded grid cannot be used; the message names file, row and column."""


class InvalidCardError(LandscapeError, ValueError):
    """A card is missing, is not YAML, or lacks a key."""


class UnreadableError(LandscapeError, ValueError):
    """A file that somebody wrote cannot be read, or holds what no file should; the message names file and place."""


class FlatLandscapeError(LandscapeError, ValueError):
    """All scores are equal, so that regret has no meaning."""


class UnknownLandscapeError(LandscapeError, KeyError):
    """No landscape has that name."""

    def __str__(self) -> str:
        return str(self.args[0])


class InvalidSpaceError(LandscapeError, ValueError):
    """A parameter or search space is not well defined, or a point does not lie in it."""


class UnwritableError(LandscapeError, OSError):
    """A file cannot be written where it was asked for."""


class MissingPackageError(LandscapeError, ImportError):
    """A package of others is needed and not installed; the message says how to install it."""
