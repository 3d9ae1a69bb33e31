"""Answers that do not follow the weights: a stale one is a failure, and never a score."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.base import Answers
from hpo_bench.merging.engine.fingerprint import Fingerprint
from hpo_bench.merging.setting import MergeSetting

FAR = 0.1
"""Merges of settings that differ by less in each hyperparameter may well answer alike."""
ENOUGH = 100
"""Scores alone, without texts, prove something only on so many examples: of those neighbours differ on one or two."""
ALIKE = 3
"""So many merges far from each other whose answers are all the same were not what answered."""
_LOOKED_AT, _ELEMENTS = 3, 1 << 16


@contextmanager
def unchanged_weights(model: Any) -> Iterator[None]:
    """Refuse, at the end of the block, answers of a model whose weights somebody changed meanwhile.

    Args:
        model: A Hugging Face model, of which parts of a few matrices are looked at; of anything else nothing.

    Raises:
        EvaluationError: If so.
    """
    before = _sample(model)
    yield
    if changed := [name for name, code in _sample(model).items() if before.get(name) != code]:
        raise EvaluationError(
            f"the evaluator changed the merged model's weights ({changed[0]}), so that its answers are another's; let "
            "it work on a copy",
            kind="stale",
        )


class Repetition:
    """Notices an evaluator that gives the answers of one merge for another, as one that keeps them by name does.

    Answers that are all alike say nothing of who gave them, and neither do those of neighbouring settings.
    """

    def __init__(self) -> None:
        self._alike: dict[tuple[tuple[str, ...], tuple[object, ...]], list[MergeSetting]] = {}

    def see(self, setting: MergeSetting, answers: Answers) -> str:
        """Compare a merge's answers with those of the merges before it.

        Args:
            setting: What was merged.
            answers: To any examples; only those to the same ones are compared.

        Returns:
            What a user should know; "" where nothing is suspicious.

        Raises:
            EvaluationError: If three merges far from each other answered all examples alike.
        """
        said = tuple(answers.responses) or tuple(answers.scores.tolist())
        if len(set(said)) < 2:
            return ""
        same = self._alike.setdefault((answers.ids, said), [])
        if any(not _far(setting, other) for other in same):
            return ""
        same.append(setting)
        if len(same) < 2:
            return ""
        what = (
            f"{len(same)} different merges gave all {len(said)} answers alike, such as {_named(same[0])} and "
            f"{_named(setting)}"
        )
        if len(same) >= ALIKE and (answers.responses or len(said) >= ENOUGH):
            raise EvaluationError(
                f"{what}: something answers with weights, or from a cache, of before; switch off whatever the "
                "evaluator keeps by a model's name or path",
                kind="stale",
            )
        return what


def _far(one: MergeSetting, other: MergeSetting) -> bool:
    if one.method != other.method:
        return False  # most methods have a setting that is another's
    a, b = one.parameters, other.parameters
    return any(abs(a[name] - b[name]) >= FAR for name in a)


def _named(setting: MergeSetting) -> str:
    return ", ".join(f"{value:.2g}" for value in setting.parameters.values())


def _sample(model: Any) -> dict[str, str]:
    """Fingerprints of the beginnings of a few matrices, by name."""
    state = model.state_dict() if isinstance(model, torch.nn.Module) else {}
    names = [name for name, tensor in state.items() if tensor.dim() > 1 and tensor.is_floating_point()]
    found = {}
    for name in {names[(len(names) - 1) * i // (_LOOKED_AT - 1)] for i in range(_LOOKED_AT)} if names else ():
        code = Fingerprint(of=f"{state[name].dtype}")
        code.update(state[name].flatten()[:_ELEMENTS].contiguous().cpu())
        found[name] = code.hexdigest()
    return found
