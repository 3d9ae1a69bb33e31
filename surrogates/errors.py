"""What can go wrong in this package, as one tree."""


class SurrogateError(Exception):
    """Root of every error that this package raises on purpose."""


class TooFewPointsError(SurrogateError, ValueError):
    """The surrogate needs more points than were given."""


class InvalidDataError(SurrogateError, ValueError):
    """Shapes do not match, a value is not finite, or two points coincide."""


class UnknownKernelError(SurrogateError, ValueError):
    """No kernel has that name."""


class NoDeviationError(SurrogateError, NotImplementedError):
    """The surrogate does not say how sure it is."""


class NotFittedError(SurrogateError, RuntimeError):
    """Asked for something that only a fitted surrogate knows."""
