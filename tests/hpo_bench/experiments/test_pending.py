"""Two ways to deal with points that other workers are still evaluating."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hpo_bench.cli import cli
from hpo_bench.display.table import TextTable
from hpo_bench.experiments import pending
from hpo_bench.experiments.pending import BELIEVER, BOTORCH, DECIDE, PendingRace, ProblemGroup, page, race


@pytest.fixture(scope="module")
def made() -> list[ProblemGroup]:
    """Two functions."""
    return pending.groups(functions={2: 2})[:1]


@pytest.fixture
def few(made: list[ProblemGroup], monkeypatch: pytest.MonkeyPatch) -> list[ProblemGroup]:
    """The same as all there is, with few evaluations and eight workers."""
    monkeypatch.setattr(pending, "groups", lambda: made)
    monkeypatch.setattr(pending, "BUDGETS", {2: 10})
    monkeypatch.setattr(pending, "WORKERS", (8,))
    return made


def test_with_one_worker_nothing_is_pending_and_both_ways_are_one(few: list[ProblemGroup]) -> None:
    ours, other = (race(way, few[0].problems[0], workers=1).regret for way in (BOTORCH, BELIEVER))
    assert ours == other


@pytest.mark.usefixtures("few")
def test_what_was_raced_is_kept_and_not_raced_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["pending", "--results", str(tmp_path)]
    result = CliRunner().invoke(cli, asked)
    assert result.exit_code == 0, result.output
    text = (tmp_path / "pending.md").read_text("utf-8")
    assert "| functions, 2-D (2) | 8 | qLogNEI |" in text
    files = sorted(tmp_path.glob("*.json"))
    assert len(files) == 2

    races = []
    monkeypatch.setattr(pending, "race", lambda way, *_, **options: races.append(way) or race(way, *_, **options))
    files[0].unlink()
    assert CliRunner().invoke(cli, asked).exit_code == 0
    assert races == [BELIEVER, BOTORCH]
    times = [line.rpartition("|")[0].rpartition("|")[0] for line in text.splitlines() if "|" in line]
    assert all(one in (tmp_path / "pending.md").read_text("utf-8") for one in times)


@pytest.mark.parametrize(("shift", "verdict"), [(-0.01, "the rule it stays"), (0.01, "the rule it goes")])
def test_a_problem_counts_once_whatever_the_workers_and_the_rule_decides(shift: float, verdict: str) -> None:
    def races(place: int, more: float) -> list[PendingRace]:
        level = {BELIEVER: 0.1 + 0.01 * place, BOTORCH: 0.1 + 0.01 * place + more}
        return [PendingRace(workers, way, (level[way],) * 3, 0.0) for workers in (2, 4) for way in level]

    found = {f"{DECIDE}, 2-D": [races(place, shift) for place in range(4)]}
    told, table = page(found)[1:3]
    assert verdict in str(told)
    assert f"functions (4) {100 * shift:+.2f} [{100 * shift:+.2f}, {100 * shift:+.2f}]" in str(told)
    assert isinstance(table, TextTable)
    assert np.unique([row.cells[-2] for row in table.rows if row.cells[1] == BOTORCH]).tolist() == [
        f"{100 * shift:+.2f} [{100 * shift:+.2f}, {100 * shift:+.2f}]"
    ]
