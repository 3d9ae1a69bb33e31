"""What can go wrong in this package, as one tree."""


class OptimizerError(Exception):
    """Root of every error that this package raises on purpose."""


class InvalidSettingError(OptimizerError, ValueError):
    """A dimension, budget, seed or option is outside what the optimiser accepts."""


class ProtocolError(OptimizerError, RuntimeError):
    """Ask and tell came in an order, or with a point, that the protocol does not allow."""


class BudgetExhaustedError(ProtocolError):
    """More points were asked for than the budget holds."""


class UnknownOptimizerError(OptimizerError, KeyError):
    """No optimiser has that name."""

    def __str__(self) -> str:
        return str(self.args[0])


def in_words(error: BaseException) -> str:
    """An exception's kind and what it says; a stranger's may have no words that can be had."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__
