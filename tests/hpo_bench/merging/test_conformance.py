"""The nine methods and the README's conform, and the suite finds every fault that it says it looks for."""

from dataclasses import dataclass
from pathlib import Path

import documents
import pytest
import torch

from hpo_bench.errors import UsageError
from hpo_bench.merging.methods import registry
from hpo_bench.merging.methods.base import COEFFICIENTS, Hyperparameter, MergeMethod
from hpo_bench.merging.methods.recipe import Recipe
from hpo_bench.merging.methods.task_arithmetic import TaskArithmetic
from hpo_bench.testing import ConformanceError, check_merge_method


@pytest.mark.parametrize("name", registry.REGISTRY.built_in)
def test_built_in_methods_conform(name: str) -> None:
    check_merge_method(name)


def test_the_readmes_method_conforms_by_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("largest.py").write_text(documents.titled("README.md", "largest.py"), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    check_merge_method("largest:Largest")


@dataclass(frozen=True)
class Sound(MergeMethod):
    """Task Arithmetic by its formula alone."""

    name, label = "sound", "Sound"
    hyperparameters = COEFFICIENTS
    vl_weight: float
    exp_weight: float

    def merge(self, vectors):
        return TaskArithmetic(self.vl_weight, self.exp_weight).merge(vectors)


class Deaf(Sound):
    def merge(self, vectors):
        return TaskArithmetic(self.vl_weight, 0.5).merge(vectors)


class Halved(Sound):
    def merge(self, vectors):
        return {name: tensor.half() for name, tensor in super().merge(vectors).items()}


class Flat(Sound):
    def merge(self, vectors):
        return {name: tensor.reshape(-1) for name, tensor in super().merge(vectors).items()}


class Forgetful(Sound):
    def merge(self, vectors):
        return dict(list(super().merge(vectors).items())[1:])


class Writing(Sound):
    def merge(self, vectors):
        for tensor in vectors.vlm.values():
            tensor *= self.vl_weight
        return {name: vectors.added(name, vectors.vlm[name]) for name in vectors.base}


class Lending(Sound):
    def merge(self, vectors):
        merged = super().merge(vectors)
        name = next(iter(merged))
        return {**merged, name: vectors.expert[name]}


class Drawing(Sound):
    def merge(self, vectors):
        return {name: tensor + torch.randn(tensor.shape) for name, tensor in super().merge(vectors).items()}


class Swallowing(Sound):
    def merge(self, vectors):
        return {name: tensor.nan_to_num() for name, tensor in super().merge(vectors).items()}


class Boasting(Sound):
    def parent(self):
        return "vlm" if self.vl_weight == 1 else None


class Nearsighted(Sound):
    by_tensor = True

    def merge(self, vectors):
        return {name: tensor / len(vectors.base) for name, tensor in super().merge(vectors).items()}


class OtherInPlace(Sound):
    def recipe(self, engine):
        return TaskArithmetic(self.vl_weight, self.vl_weight).recipe(engine)


class OutOfRange(Sound):
    hyperparameters = (*COEFFICIENTS[:1], Hyperparameter(name="exp_weight", low=0.0, high=1.4, at_most=1.0))


class WritingBase(Sound):
    def merge(self, vectors):
        for name, tensor in vectors.base.items():
            tensor += self.vl_weight * vectors.vlm[name] + self.exp_weight * vectors.expert[name]
        return vectors.base


class NotAtZero(Sound):
    def merge(self, vectors):
        return {name: tensor / self.vl_weight * self.vl_weight for name, tensor in super().merge(vectors).items()}


class Returning(Sound):
    def merge(self, vectors):
        return None


class OneTensor(Sound):
    def merge(self, vectors):
        return super().merge(vectors)["lm_head.weight"]


class AsNumpy(Sound):
    def merge(self, vectors):
        return {name: tensor.numpy() for name, tensor in super().merge(vectors).items()}


class InWholeNumbers(Sound):
    def merge(self, vectors):
        return {name: tensor.int() for name, tensor in super().merge(vectors).items()}


class Imaginary(Sound):
    def merge(self, vectors):
        return {name: tensor.to(torch.complex64) for name, tensor in super().merge(vectors).items()}


class Empty(Sound):
    def merge(self, vectors):
        return {name: tensor.to("meta") for name, tensor in super().merge(vectors).items()}


class Raising(Sound):
    def merge(self, vectors):
        return super().merge(vectors)["no such name"]


class Stillborn(Sound):
    def __init__(self, **values):
        raise ValueError("not so small")


class Orphan(Sound):
    def parent(self):
        return "VLM"


class Runaway(Sound):
    def parent(self):
        raise KeyError("home")


class Burning(Sound):
    def recipe(self, engine):
        raise ValueError("too hot")


class Cookless(Sound):
    def recipe(self, engine):
        return {"kernel": None}


class Popping(Sound):
    def recipe(self, _engine):
        def kernel(base, vlm, expert, *, into=None):
            raise ValueError("pop")

        return Recipe(kernel, lambda _line: ())


class WritingKernel(Sound):
    def recipe(self, _engine):
        def kernel(base, vlm, expert, *, into=None):
            base *= 2
            return self.vl_weight * (vlm - base) + self.exp_weight * (expert - base)

        return Recipe(kernel, lambda _line: ())


@dataclass(frozen=True)
class DeafToSeeds(Sound):
    draws_masks = True
    seed: int = 0


class Keeping(Sound):
    def merge(self, vectors):
        return {name: tensor.requires_grad_() for name, tensor in super().merge(vectors).items()}


MUTANTS = {
    Deaf: "exp_weight makes no difference",
    Halved: "merged in torch.float16, and base and task vectors are float32",
    Flat: r"in shape \(192,\), and the base's is \(24, 8\)$",
    Forgetful: "the merge of Sound lacks",
    Writing: "the merge wrote into vlm's .*, which it may only read",
    Lending: "a change of the merge writes into expert's",
    Drawing: "torch's global generator",
    Swallowing: "NaN in vlm's",
    Boasting: r"parent\(\) promises the vlm",
    Nearsighted: "by_tensor is said",
    OtherInPlace: "the engine's .* is another than the formula's",
    WritingBase: "the merge wrote into base's .*, which it may only read",
    NotAtZero: "numbers that are not finite, at vl_weight 0, exp_weight 0",
    Returning: "the merge of Sound returns None, which is no dict; end it with `return merged`",
    OneTensor: "returns a torch.Tensor, which is no dict",
    InWholeNumbers: "the merge of Sound has .* as torch.int32; return float32, as the task vectors are",
    Imaginary: "the merge of Sound has .* as torch.complex64; return float32",
    Empty: r"the merge of Sound has .* without values \(on the device meta\); return float32",
    AsNumpy: "has a numpy.ndarray as .*, which is no torch.Tensor",
    Raising: r"the merge of Sound raised KeyError: 'no such name' \(test_conformance.py, line \d+\)",
    Stillborn: r"the making of Sound raised ValueError: not so small \(test_conformance.py, line \d+\)",
    Orphan: "the parent of Sound is base, vlm, expert or None, not 'VLM'",
    Runaway: r"the parent of Sound raised KeyError: 'home' \(test_conformance.py, line \d+\)",
    Burning: r"the recipe of Sound raised ValueError: too hot \(test_conformance.py, line \d+\)",
    Cookless: "the recipe of Sound is a dict, and neither a Recipe nor None",
    Popping: r"the kernel of Sound raised ValueError: pop \(test_conformance.py, line \d+\)",
    WritingKernel: "Sound wrote into the base's .*, which it may only read; let it work on a copy",
    OutOfRange: "exp_weight 1.4 is offered",
    DeafToSeeds: "draws_masks is said, and another seed gives the same merge",
    Keeping: "keeps gradients, which no merge needs",
}


def test_a_sound_method_of_ones_own_conforms() -> None:
    check_merge_method(Sound)


@pytest.mark.parametrize(("mutant", "message"), MUTANTS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_fault_is_named(mutant: type[MergeMethod], message: str) -> None:
    with pytest.raises(ConformanceError, match=message):
        check_merge_method(mutant)


class Silent(MergeMethod):
    name, label = "silent", "Silent"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tise", r"did you mean 'ties'\? there are: ta, dare, ties, fisher, .* or give 'module:Class'"),
        ("collections:Counter", "collections:Counter is no subclass of hpo_bench.MergeMethod"),
        ("nowhere:Method", "there is no merge method at 'nowhere:Method'"),
    ],
)
def test_what_is_no_method_is_refused(address: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        registry.get(address)


class AskingForThree(Sound):
    def merge(self, base, vlm, expert):
        return base


@dataclass(frozen=True)
class Undeclared(Sound):
    clip: float


class Seedless(Sound):
    draws_masks = True


class Impostor(Sound):
    name = "ta"


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (AskingForThree, r"AskingForThree: its merge takes the task vectors alone: `def merge\(self, vectors\)`"),
        (Undeclared, "missing a required argument: 'clip', which is none of its hyperparameters: declare it as one"),
        (Seedless, "its hyperparameters and a seed must be arguments of the class: .*'seed'"),
        (Impostor, "Impostor is called 'ta', as a built-in method is; give it another `name`"),
        (lambda vectors: vectors, "is no subclass of hpo_bench.MergeMethod"),
    ],
)
def test_a_class_that_could_not_be_used_is_refused(method: type[MergeMethod], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_merge_method(method)


def test_a_method_without_a_formula_is_refused() -> None:
    with pytest.raises(UsageError, match="does not say how it merges"):
        check_merge_method(Silent)


def test_what_has_no_hyperparameters_is_not_tuned() -> None:
    with pytest.raises(UsageError, match="WUDI has no hyperparameters, so there is nothing to tune"):
        registry.tunable("wudi")
