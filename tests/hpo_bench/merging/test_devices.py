"""A device that is not there is said so before anything is loaded."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from hpo_bench.cli import cli
from hpo_bench.errors import UsageError
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.devices import check_device, devices
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair

BAD = {
    "gpu0": "'gpu0' is no device; say cpu, cuda or cuda:1",
    "": "'' is no device",
    "meta": "merges do not run on 'meta'",
    "mps": "merges do not run on 'mps'",
    "cuda": "there is no cuda here: torch sees no GPU; leave --device out",
    "cuda:1": "there is no cuda:1 here",
}


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.mark.parametrize(("name", "message"), BAD.items())
def test_everything_that_takes_a_device_refuses_a_bad_one(
    name: str, message: str, shipped: Pair, loaded: LoadedPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("checkpoints were opened")

    monkeypatch.setattr(Alignment, "of", refuse)
    setting = ["-m", "ta", "--vl-weight", "1", "--exp-weight", "1", "--out", str(tmp_path / "out")]
    for arguments in (
        ["merge", "ja-llama", *setting, "--device", name],
        ["plan", "ja-llama", "--device", name],
        ["tune", "ja-llama", "--trials", "3", "--studies", str(tmp_path), "--device", name],
    ):
        with pytest.raises(UsageError, match=message):
            CliRunner().invoke(cli, arguments, catch_exceptions=False)
    with pytest.raises(UsageError, match=message):
        LoadedPair.load(shipped, device=name)
    with pytest.raises(UsageError, match=message):
        Resident(loaded, device=name)


def test_speed_refuses_a_gpu_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=BAD["cuda"]):
        CliRunner().invoke(cli, ["speed", "--device", "cuda"], catch_exceptions=False)


def test_what_is_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_device("cpu") == check_device("cpu:0") == torch.device("cpu")
    assert devices(2, None) == ["cpu", "cpu"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert check_device("cuda:1") == torch.device("cuda:1")
    assert devices(3, None) == ["cuda:0", "cuda:1", "cuda:0"]
    assert devices(2, "cuda") == ["cuda", "cuda"]
    with pytest.raises(UsageError, match="there is no cuda:2 here: torch sees 2 GPUs"):
        check_device("cuda:2")
