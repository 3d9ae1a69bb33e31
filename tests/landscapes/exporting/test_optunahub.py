"""What goes into OptunaHub's registry: our optimisers as a sampler, our landscapes as problems."""

import importlib
import importlib.util
import re
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace

import optuna
import pytest
import yaml
from documents import ROOT, blocks, titled

from landscapes import catalogue
from landscapes.errors import MissingPackageError

HUB = ROOT / "hub"
PACKAGES = sorted(path.parent for path in HUB.glob("*/*/__init__.py"))


class BaseProblem:
    """As OptunaHub's own calls a problem, for where its package is not installed."""

    def __call__(self, trial: optuna.Trial) -> float:
        space = self.search_space  # type: ignore[attr-defined]
        return self.evaluate({name: trial._suggest(name, one) for name, one in space.items()})  # type: ignore[attr-defined]


def load_local(package: str) -> ModuleType:
    spec = spec_from_file_location(package.replace("/", "_"), HUB / package / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(module := module_from_spec(spec))
    return module


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of this folder alone."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if find_spec("optunahub") is None:
        benchmarks = ModuleType("optunahub.benchmarks")
        benchmarks.BaseProblem = BaseProblem  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "optunahub.benchmarks", benchmarks)
        monkeypatch.setitem(sys.modules, "optunahub", SimpleNamespace(benchmarks=benchmarks))
    optunahub = importlib.import_module("optunahub")
    load = getattr(optunahub, "load_local_module", None)
    local = load_local if load is None else lambda package: load(package, registry_root=str(HUB))
    monkeypatch.setattr(optunahub, "load_module", local, raising=False)
    monkeypatch.delitem(sys.modules, "landscapes.exporting.optunahub", raising=False)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.parent.name)
def test_a_package_has_what_the_registry_asks_for_and_its_example_runs(package: Path) -> None:
    assert {path.name for path in package.iterdir()} - {"__pycache__"} == {
        "LICENSE", "README.md", "__init__.py", "requirements.txt",
    }  # fmt: skip
    text = (package / "README.md").read_text("utf-8")
    head = yaml.safe_load(text.split("---\n")[1])
    assert set(head) == {"author", "title", "description", "tags", "optuna_versions", "license"}
    assert head["license"] == "MIT License"
    assert head["tags"][0] == package.parent.name.removesuffix("s")
    assert not re.search(r"<\w+>", text), "the registry takes no HTML"
    (example,) = (block.code for block in blocks(text) if block.language == "python")
    exec(example, {})  # noqa: S102


def test_a_landscape_is_a_problem_with_the_same_scores() -> None:
    from landscapes.exporting.optunahub import LandscapeProblem

    assert "ja-llama/ties" in LandscapeProblem.available_landscapes()
    problem = LandscapeProblem("ja-llama/ties")
    landscape = catalogue.load("ja-llama/ties")
    assert tuple(problem.search_space) == landscape.space.names
    study = optuna.create_study(directions=problem.directions, sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(problem, n_trials=5)
    assert [trial.value for trial in study.trials] == pytest.approx(
        landscape.score([list(trial.params.values()) for trial in study.trials])
    )
    best = dict(zip(landscape.space.names, landscape.optimum.x, strict=True))
    assert problem.evaluate(best) == pytest.approx(landscape.optimum.score)


def test_what_the_page_shows_runs() -> None:
    exec(titled("docs/own/elsewhere.md", "on_optunahub.py"), {})  # noqa: S102


def test_without_its_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optunahub.benchmarks", None)
    with pytest.raises(MissingPackageError, match="pip install optunahub"):
        importlib.import_module("landscapes.exporting.optunahub")
