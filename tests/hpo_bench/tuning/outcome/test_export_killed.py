"""`hpo-bench export`, killed at any moment: the folder is whole or not there, and the same command makes it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killing
import pytest
from click.testing import CliRunner
from tuning_toys import config

from hpo_bench.cli import cli
from hpo_bench.errors import MergeError, UsageError
from hpo_bench.evaluation.examples import Example, write_examples
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import Success, TrialCost


@pytest.fixture(scope="module")
def study(
    shipped: Pair, questions: tuple[Example, ...], loaded: LoadedPair, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A study of one trial of the shipped pair, with few questions."""
    folder = tmp_path_factory.mktemp("killed")
    shutil.copytree(shipped.folder, folder / "pair")
    write_examples(questions[:20], folder / "pair" / shipped.examples.name)
    pair = Pair.read(folder / "pair")
    setting = MergeSetting("ta", 0.4, 0.9)
    fingerprint = Resident(loaded).merge(setting)
    evaluator = open_evaluator(pair, loaded)
    found = evaluator.evaluate(loaded.vlm, evaluator.examples("validation"))
    store = TrialStore(folder / "s", "s")
    store.begin(config(pair=pair.name, checkpoints=pair.file_hashes()))
    trial = store.start(setting, asked_after=0, worker="w")
    store.finish(trial, Success({"validation": found}, fingerprint, TrialCost()), told_as=0)
    store.close()
    Invocation(str(pair.folder), ".", ("hpo-bench", "tune", "small")).write(folder / "s")
    return folder / "s"


def export(study: Path, out: Path) -> BaseException | None:
    return CliRunner().invoke(cli, ["export", str(study), "--trial", "0", "--out", str(out)]).exception


@pytest.mark.parametrize(
    ("target", "deadly"),
    [
        ("hpo_bench.tuning.outcome.export._check", killing.before),
        ("pathlib.Path.rename", killing.before),
        ("pathlib.Path.rename", killing.after),
    ],
    ids=["before it is asked", "before its name", "after its name"],
)
def test_killed_an_export_is_whole_or_not_there(
    study: Path, target: str, deadly: Callable[..., Callable[..., Any]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    killing.run_killed(lambda: export(study, out), target, deadly)
    assert out.exists() == (deadly is killing.after)
    if out.exists():
        assert isinstance(export(study, out), UsageError)
    else:
        assert export(study, out) is None
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert "examples as recorded" in (out / "README.md").read_text()
    assert json.loads((out / "hpo_bench.json").read_text())["trial"] == 0
    assert Checkpoint.open(out).tensors


def test_an_export_that_cannot_be_checked_leaves_nothing(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MergeError("no room")

    monkeypatch.setattr("hpo_bench.tuning.outcome.export._check", fail)
    assert "no room" in str(export(study, tmp_path / "out"))
    assert not list(tmp_path.iterdir())
