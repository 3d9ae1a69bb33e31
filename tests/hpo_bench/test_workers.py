"""However a command with workers is ended, nothing of it stays: no process, and no word but the one line."""

import os
import signal
import statistics
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
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("begun\n[2, 4]\n", "")


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
    done = subprocess.run(
        [sys.executable, "command.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        timeout=50,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def ran(tmp_path: Path, script: str, *, limit: float = 50, **environment: str) -> tuple[int, str, str]:
    """A script of its own, and what it says."""
    (tmp_path / "script.py").write_text(f"import os, sys, time\nfrom hpo_bench.workers import Local\n{script}")
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True,
        check=False, timeout=limit,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


RAISING = """
class Mine(Exception):
    pass

class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")

class Unreadable:
    def __reduce__(self):
        return int, ("unreadable",)

def raises_mine(_):
    raise Mine("in words")

def raises_odd(_):
    raise Odd(1, 2)

for task in (raises_mine, raises_odd, lambda _: Unreadable()):
    try:
        list(Local(2).stream(task, [1, 2]))
    except Exception as error:
        print(type(error).__name__, error)
try:
    list(Local(2).stream(print, [Unreadable()]))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_what_a_task_raises_or_cannot_send_is_its_own_fault_and_not_that_of_a_killed_worker(tmp_path: Path) -> None:
    code, out, err = ran(tmp_path, RAISING)
    unreadable = "ValueError invalid literal for int() with base 10: 'unreadable'"
    assert out.splitlines() == ["Mine in words", "HpoBenchError Odd: 1 and 2", unreadable, unreadable]
    assert (code, err) == (0, "")


def test_what_a_task_raises_says_where_in_the_worker() -> None:
    with pytest.raises(statistics.StatisticsError) as raised:
        list(Local(2).stream(statistics.mean, [[], []]))
    assert "in mean\n" in raised.value.__notes__[0]


def test_streams_that_are_open_at_once_do_not_end_each_other() -> None:
    """Of as many workers or not, and whether or not one is closed before it is finished."""
    streams = [Local(jobs).stream(time.sleep, [0.1] * 8) for jobs in (2, 3, 2)]
    streams[2].close()  # pyright: ignore[reportAttributeAccessIssue]
    workers = {one.pid for one in psutil.Process().children(recursive=True)}
    assert len(list(zip(*streams[:2], strict=True))) == 8
    assert {one.pid for one in psutil.Process().children(recursive=True)} <= workers


@pytest.mark.parametrize("end", ["", "raise ValueError('mine')"])
def test_a_script_that_ends_with_a_stream_open_does_not_wait_for_its_tasks(tmp_path: Path, end: str) -> None:
    script = f"stream = Local(2).stream(time.sleep, [0.0, 300.0, 300.0, 300.0])\nnext(stream)\n{end}"
    code, out, err = ran(tmp_path, script)
    assert (code, out) == (bool(end), "")
    assert err.endswith("ValueError: mine\n" if end else "")


CHILD = """
import multiprocessing

def work():
    print(sorted(Local(2).stream(abs, [-1, -2, -3])), flush=True)

if __name__ == "__main__":
    if {before}:
        work()
    child = multiprocessing.get_context("{how}").Process(target=work, daemon={daemon})
    child.start()
    child.join(40)
    print(child.exitcode)
    child.kill()
    if {before}:
        work()
"""


@pytest.mark.parametrize(
    ("how", "before", "daemon"), [("fork", False, True), ("spawn", False, False), ("fork", True, False)]
)
def test_a_process_of_multiprocessing_has_workers_of_its_own_and_ends(
    tmp_path: Path, how: str, before: bool, daemon: bool
) -> None:
    """A daemonic one may begin no processes and works by itself; a forked one inherits workers that are not its own."""
    expected = ["[1, 2, 3]"] * before + ["[1, 2, 3]", "0"] + ["[1, 2, 3]"] * before
    code, out, err = ran(tmp_path, CHILD.format(how=how, before=before, daemon=daemon))
    assert (code, out.splitlines(), err) == (0, expected, "")


FORKED = """
list(Local(2).stream(abs, [1, 2]))
stays = os.fork()
if not stays:
    time.sleep(300)
print(stays, flush=True)
os.kill(os.getpid(), 9)
"""


def test_workers_end_with_the_process_that_began_them_though_one_forked_from_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(f"import os, time\nfrom hpo_bench.workers import Local\n{FORKED}")
    with (tmp_path / "out").open("w") as out:
        started = subprocess.Popen([sys.executable, "script.py"], cwd=tmp_path, stdout=out, start_new_session=True)
    try:
        started.wait(50)
        assert psutil.pid_exists(int((tmp_path / "out").read_text()))
        workers = lambda: [one for one in group(started.pid) if "forkserver" in " ".join(one.cmdline())]  # noqa: E731
        assert waited(lambda: not workers(), seconds=15), workers()
    finally:
        for one in group(started.pid):
            one.kill()


def test_a_temporary_folder_whose_name_is_too_long_for_a_socket_will_do(tmp_path: Path) -> None:
    (folder := tmp_path / ("long" * 30)).mkdir()
    script = "Local(2).ahead(['json'])\nprint(sorted(Local(2).stream(abs, [-1, -2, -3])))"
    assert ran(tmp_path, script, TMPDIR=str(folder)) == (0, "[1, 2, 3]\n", "")
