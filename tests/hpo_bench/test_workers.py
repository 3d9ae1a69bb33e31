"""However a command with workers is ended, nothing of it stays: no process, and no word but the one line."""

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from hpo_bench.workers import Local

COMMAND = """
import time
from hpo_bench import cli
from hpo_bench.cli import tree
from hpo_bench.workers import Local
tree.run = lambda _: len(list(Local(2).stream(time.sleep, [60.0] * 4)))  # as `run` and `ranking` do
cli.main([])
"""


def group(leader: int) -> list[psutil.Process]:
    """Who lives of a session."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue
    return found


def waited(condition: Callable[[], bool], *, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_a_command_that_was_ended(how: signal.Signals) -> None:
    """Ctrl-C goes to all of a terminal's processes at once, a kill to one."""
    started = subprocess.Popen(
        [sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what a shell starts with & ignores it
    )  # fmt: skip
    try:
        # Theirs and that of the process that they are forked from.
        workers = lambda: sum("forkserver" in " ".join(one.cmdline()) for one in group(started.pid))  # noqa: E731
        assert waited(lambda: workers() == 3, seconds=60)
        time.sleep(2)  # until they have begun
        if how == signal.SIGINT:
            os.killpg(started.pid, how)
        else:
            started.kill()
        out, err = started.communicate(timeout=30)
        assert started.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
        assert (out, err) == ("", "interrupted; give the same command again to go on\n" * (how == signal.SIGINT))
        assert waited(lambda: not group(started.pid), seconds=15), group(started.pid)
    finally:
        for one in group(started.pid):
            one.kill()


def test_work_that_nobody_waits_for_any_more_ends_without_a_word() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        stream = Local(2).stream(time.sleep, [0.0, 60.0, 60.0])
        next(stream)
        stream.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert [str(one.message) for one in said] == []


def test_workers_know_the_environment_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("before", "now"):
        monkeypatch.setenv("HPO_BENCH_TEST_VALUE", value)
        assert set(Local(2).stream(os.getenv, ["HPO_BENCH_TEST_VALUE"] * 4)) == {value}


SCRIPT = """
from hpo_bench.workers import Local

print("begun")

class Mine:
    def __init__(self, x):
        self.x = x

    def double(self):
        return 2 * self.x

print(sorted(Local(2).stream(Mine.double, [Mine(1), Mine(2)])))
"""


def test_a_script_without_a_guard_runs_once_and_what_it_defines_travels(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    ran = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("begun\n[2, 4]\n", "")


COMMAND_THAT_ENDS = """
import time
from pathlib import Path
from hpo_bench.workers import Local

Local(2).ahead(["slow"])
while not Path("begun").exists():
    time.sleep(0.05)
"""


def test_a_command_that_ends_sooner_than_workers_have_imported_does_not_wait_for_them(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("from pathlib import Path\nPath('begun').touch()\nimport time\ntime.sleep(60)")
    (tmp_path / "command.py").write_text(COMMAND_THAT_ENDS)
    # Whoever reads what it writes would wait for all who might write.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, "."])}
    ran = subprocess.run(
        [sys.executable, "command.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        timeout=50,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
