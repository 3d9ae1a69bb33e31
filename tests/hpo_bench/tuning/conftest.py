"""`hpo-bench tune` as tests give it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tuning_toys import InlinePool, success

from hpo_bench.cli import cli
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.trial import Run
from hpo_bench.tuning.workers import processes


@pytest.fixture
def tune(small_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Tunes study s in a folder of its own, by SYNTHETIC workers."""
    monkeypatch.chdir(tmp_path)

    def called(
        *options: str, pair: str = str(small_pair.folder), run: Run = success, pool: InlinePool | None = None
    ) -> Result:
        monkeypatch.setattr(processes, "ProcessPool", lambda *_, **__: pool or InlinePool(run=run))
        words = ["tune", pair, "--study", "s", *options]
        monkeypatch.setattr(sys, "argv", ["hpo-bench", *words])
        return CliRunner().invoke(cli, words)

    return called
