"""Answers that do not follow the weights: a stale one is a failure, and never a score."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.base import Answers
from hpo_bench.merging.engine.fingerprint import Fingerprint
from hpo_bench.merging.methods.base import DENSITY
from hpo_bench.merging.setting import MergeSetting

FAR = 0.1
"""Merges of settings that differ by less in each hyperparameter may well answer alike, and so may those that differ in
density alone."""
ALIKE, REPEATED = 3, 400
"""So many merges in a row, far from each other, were not what answered if the later ones repeat so many answers.

Honest ones score a few dozen examples alike in most studies, and hundreds in next to none; a test tries it on recorded
answers of each pair."""
_WORD = 4
"""Letters of a text that count as one answer."""
_LOOKED_AT, _ELEMENTS = 3, 1 << 16


@contextmanager
def unchanged_weights(model: Any, *, whole: bool = False) -> Iterator[None]:
    """Refuse, at the end of the block, answers of a model whose weights somebody changed meanwhile.

    Args:
        model: A Hugging Face model, of which parts of a few matrices are looked at; of anything else nothing.
        whole: Whether to look at all of its tensors, which is slow for a large one.

    Raises:
        EvaluationError: If so.
    """
    before = _sample(model, whole=whole)
    yield
    if changed := [name for name, code in _sample(model, whole=whole).items() if before.get(name) != code]:
        raise EvaluationError(
            f"the evaluator changed the merged model's weights ({changed[0]}), so that its answers are another's; let "
            "it work on a copy",
            kind="stale",
        )


class Repetition:
    """Notices an evaluator that gives the answers of one merge for another, as one that keeps them by name does.

    Answers that are all alike say nothing of who gave them, and neither do those of neighbouring settings. Honest
    merges repeat each other's answers to a few questions, but seldom in a row.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, ...], tuple[tuple[object, ...], list[MergeSetting]]] = {}

    def see(self, setting: MergeSetting, answers: Answers, *, proven: bool = False) -> str:
        """Compare a merge's answers with those of the merges just before it.

        Args:
            setting: What was merged.
            answers: To any examples; only those to the same ones are compared.
            proven: Whether it is known that the present weights answered: then merges that are alike are no failure,
                and told of only where honest ones seldom are.

        Returns:
            What a user should know; "" where nothing is suspicious.

        Raises:
            EvaluationError: If three merges in a row, far from each other, answered all of many examples alike.
        """
        said = tuple(answers.responses) or tuple(answers.scores.tolist())
        before, alike = self._last.get(answers.ids, ((), []))
        if said != before or len(set(said)) < 2:
            self._last[answers.ids] = said, [setting]
            return ""
        if any(not _far(setting, other) for other in alike):
            return ""
        alike.append(setting)
        many = (len(alike) - 1) * _worth(said) >= REPEATED
        if proven and not many:
            return ""
        which = f"{_named(alike[0])} and {_named(setting)}"
        what = f"{len(alike)} different merges in a row gave all {len(said)} answers alike, such as {which}"
        if many and len(alike) >= ALIKE and not proven:
            raise EvaluationError(
                f"{what}: something answers with weights, or from a cache, of before; switch off whatever the "
                "evaluator keeps by a model's name or path",
                kind="stale",
            )
        return what


def _worth(said: tuple[object, ...]) -> int:
    """How many answers of a word these are worth: longer texts are less often alike by chance."""
    return sum(max(1, len(one) // _WORD) if isinstance(one, str) else 1 for one in said)


def _far(one: MergeSetting, other: MergeSetting) -> bool:
    if one.method != other.method:
        return False  # most methods have a setting that is another's
    a, b = one.parameters, other.parameters
    return any(abs(a[name] - b[name]) >= FAR for name in a if name != DENSITY.name)


def _named(setting: MergeSetting) -> str:
    return ", ".join(f"{value:.2g}" for value in setting.parameters.values())


def _sample(model: Any, *, whole: bool) -> dict[str, str]:
    """Fingerprints by name: of all tensors, or of the beginnings of a few matrices."""
    state = model.state_dict() if isinstance(model, torch.nn.Module) else {}
    state = {name: tensor for name, tensor in state.items() if isinstance(tensor, torch.Tensor)}
    names = [name for name, tensor in state.items() if tensor.dim() > 1 and tensor.is_floating_point()]
    few = {names[(len(names) - 1) * i // (_LOOKED_AT - 1)] for i in range(_LOOKED_AT)} if names else set[str]()
    found = {}
    for name in state if whole else few:
        code = Fingerprint(of=f"{state[name].dtype}")
        code.update(state[name].flatten()[: None if whole else _ELEMENTS].contiguous().cpu())
        found[name] = code.hexdigest()
    return found
