"""What can go wrong in this package, as one tree."""


class HpoBenchError(Exception):
    """Root of every error that this package raises on purpose."""


class UsageError(HpoBenchError):
    """The user asked for something that cannot be done; the message says what to do instead."""


class ResultsError(HpoBenchError):
    """A results folder cannot be used."""


class MergeError(HpoBenchError):
    """Checkpoints cannot be merged."""


class MethodError(MergeError):
    """A merge method does not do what every one must: a fault in its code, whatever the checkpoints."""


class NotFiniteError(MergeError):
    """A checkpoint holds weights that are NaN or infinite."""


class RecordingError(HpoBenchError):
    """A recording cannot be made or continued."""


class EvaluationError(HpoBenchError):
    """A model could not be scored; a failure, never a score.

    Args:
        message: What went wrong.
        kind: The sort of failure, for tables and advice: out-of-memory, nan-logits, raised, timeout, nonsense, judge,
            endless, money, merge, method, prompt, stale or worker-died.

    Attributes:
        kind: The same.
        dollars: What was paid before it failed.
    """

    def __init__(self, message: str, *, kind: str = "raised") -> None:
        super().__init__(message)
        self.kind = kind
        self.dollars = 0.0

    def __reduce__(self) -> tuple[type, tuple[str], dict[str, object]]:
        # Failures travel between processes, and pickle would forget the kind.
        return type(self), (str(self),), {"kind": self.kind, "dollars": self.dollars}


class TuningError(HpoBenchError):
    """A study cannot be begun, continued or read."""
