"""The speed command measures what it says, on random weights and small repeats; no time is asserted."""

import json

import pytest
import torch
from click.testing import CliRunner

from hpo_bench.errors import MergeError
from hpo_bench.experiments.cost import merge, subjects
from hpo_bench.merging.engine import mergekit


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    monkeypatch.setitem(subjects.SHAPES, "10M", small)


def test_contenders_take_turns_and_each_is_timed() -> None:
    subject = subjects.synthetic("10M", torch.float32, "cpu")
    contenders = (merge.COPY, merge.RESIDENT, merge.IN_PROCESS, merge.RUN_MERGE)
    timings = [*merge.measure(subject, ("ta", "ties"), contenders, seconds=0, least=2)]
    assert [(timing.method, timing.contender) for timing in timings] == [
        (method, contender) for method in ("ta", "ties") for contender in contenders
    ]
    assert all(len(timing.seconds) == 2 and min(timing.seconds) > 0 for timing in timings)
    assert all(timing.parameters == subject.parameters for timing in timings)
    assert all((timing.first is None) == (timing.contender == merge.RUN_MERGE) for timing in timings)


def test_a_merge_that_is_not_mergekits_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = subjects.synthetic("10M", torch.float32, "cpu")
    original = mergekit.merge

    def off(*args: object, **options: object) -> dict[str, torch.Tensor]:
        return {name: tensor + 1e-3 for name, tensor in original(*args, **options).items()}  # pyright: ignore

    monkeypatch.setattr(mergekit, "merge", off)
    with pytest.raises(MergeError, match="its speed means nothing"):
        next(merge.measure(subject, ("ta",), (merge.RESIDENT, merge.IN_PROCESS), seconds=0, least=1))


def test_the_command_prints_json() -> None:
    from hpo_bench.cli.experiments.speed import command

    arguments = ["--shape", "10M", "--mergekit", "none", "--seconds", "0", "--json"]
    shown = CliRunner().invoke(command, arguments)
    assert shown.exit_code == 0, shown.output
    content = json.loads(shown.stdout)
    assert {row["contender"] for row in content["timings"]} == {merge.COPY, merge.RESIDENT}
    assert {row["method"] for row in content["timings"]} == {"ta", "dare", "ties"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_said() -> None:
    from hpo_bench.cli.experiments.speed import command
    from hpo_bench.errors import UsageError

    found = CliRunner().invoke(command, ["--device", "cuda"])
    assert isinstance(found.exception, UsageError)
