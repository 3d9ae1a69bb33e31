"""What can go wrong in this package, as one tree."""


class HpoBenchError(Exception):
    """Root of every error that this package raises on purpose."""


class UsageError(HpoBenchError):
    """The user asked for something that cannot be done; the message says what to do instead."""


class ResultsError(HpoBenchError):
    """A results folder cannot be used."""


class MergeError(HpoBenchError):
    """Checkpoints cannot be merged."""


class RecordingError(HpoBenchError):
    """A recording cannot be made or continued."""
