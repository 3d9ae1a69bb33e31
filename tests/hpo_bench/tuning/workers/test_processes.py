"""Worker processes that hang, die and follow their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tuning_toys import BrokenOpener, ToyOpener, ToySession, answers

from hpo_bench.errors import TuningError, UsageError
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.trial import Job, Success
from hpo_bench.tuning.workers.base import Finished, Lost, Ready
from hpo_bench.tuning.workers.processes import ProcessPool

SETTING = MergeSetting("ta", 0.4, 0.9)
UNGUARDED = """
import sys
from pathlib import Path
from tuning_toys import ToyOpener
from hpo_bench.tuning.workers.processes import ProcessPool

print("begun", flush=True)
pool = ProcessPool(ToyOpener(), devices=["cpu"], logs=Path(sys.argv[1]))
while not pool.idle:
    pool.poll(1.0)
pool.stop()
print(sys.modules["__main__"].__file__)
"""


def test_a_process_that_only_reads_settings_waits_for_no_pytorch() -> None:
    read = "from hpo_bench.merging.setting import BASE; BASE.parameters, BASE.vl_weight"
    code = f"import sys, tuning_toys; {read}; sys.exit('torch' in sys.modules)"
    path = os.pathsep.join((str(Path(sys.modules["tuning_toys"].__file__ or "").parent), *filter(None, sys.path)))
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})


def wait_for(pool: ProcessPool, kind: type, seconds: float = 60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        event = pool.poll(0.2)
        if isinstance(event, kind):
            return event
        assert event is None or isinstance(event, Ready), event
    raise AssertionError(f"no {kind.__name__} within {seconds} s")


def test_workers_answer_hang_die_and_are_replaced(tmp_path: Path) -> None:
    session = ToySession(hang=("trial 1",), die={"trial 2": 1}, folder=str(tmp_path))
    pool = ProcessPool(ToyOpener(session), devices=["cpu"], logs=tmp_path / "logs")
    try:
        assert wait_for(pool, Ready).facts["validation"] == 60
        pool.submit("worker-1", Job("trial 0", SETTING))
        assert pool.idle == []
        done = wait_for(pool, Finished)
        assert isinstance(done.result, Success)
        assert done.result.answers["validation"].scores.tolist() == answers(SETTING).scores.tolist()

        pool.submit("worker-1", Job("trial 0", SETTING), limit=0.2)
        time.sleep(2.0)  # the tuner was busy, or asleep: an answer that is there when time is up counts
        event = pool.poll(0.2)
        assert isinstance(event, Finished), event
        assert isinstance(event.result, Success)

        # As a queue that ends a job would.
        for which in (signal.SIGINT, signal.SIGTERM):
            os.kill(pool._workers[0].process.pid, which)
        pool.submit("worker-1", Job("trial 1", SETTING), limit=0.5)
        lost = wait_for(pool, Lost)
        assert (lost.job.name, lost.failure.kind) == ("trial 1", "timeout")
        assert "tuning_toys.py" in lost.failure.details, "the log says where it hung"
        assert lost.failure.cost.eval_seconds >= 0.5

        wait_for(pool, Ready)
        pool.submit("worker-1", Job("trial 2", SETTING))
        lost = wait_for(pool, Lost)
        assert (lost.failure.kind, "exit code 3" in lost.failure.reason) == ("worker-died", True)
        wait_for(pool, Ready)
        pool.submit("worker-1", Job("trial 2", SETTING))
        assert isinstance(wait_for(pool, Finished).result, Success)
    finally:
        pool.stop()


def started(folder: Path) -> list[int]:
    """The ids of what a session started, once all of it was."""
    for _ in range(600):
        ids = (folder / "children").read_text().split() if (folder / "children").exists() else []
        if len(ids) >= 2:
            return list(map(int, ids))
        time.sleep(0.05)
    raise AssertionError("nothing was started")


def gone(ids: list[int], seconds: float = 20.0) -> bool:
    """Whether processes end, or wait only for whoever collects them."""

    def ended(one: int) -> bool:
        try:
            return psutil.Process(one).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    end = time.monotonic() + seconds
    while not (done := all(map(ended, ids))) and time.monotonic() < end:
        time.sleep(0.05)
    return done


def test_what_an_evaluator_started_ends_with_its_worker(tmp_path: Path) -> None:
    session = ToySession(
        hang=("hangs", "stopped"), die={"dies": 1}, folder=str(tmp_path), spawn=("hangs", "dies", "stopped")
    )
    pool = ProcessPool(ToyOpener(session), devices=["cpu"], logs=tmp_path / "logs")
    try:
        wait_for(pool, Ready)
        pool.submit("worker-1", Job("hangs", SETTING), limit=0.5)
        assert wait_for(pool, Lost).failure.kind == "timeout"
        assert gone(started(tmp_path))

        (tmp_path / "children").unlink()
        wait_for(pool, Ready)
        # Its children hold its pipe open, so that nothing but the process itself tells of its end.
        pool.submit("worker-1", Job("dies", SETTING))
        assert wait_for(pool, Lost).failure.kind == "worker-died"
        assert gone(started(tmp_path)[:1]), "one that left its group and its parent behind cannot be found"
        for one in started(tmp_path)[1:]:
            os.kill(one, signal.SIGKILL)

        (tmp_path / "children").unlink()
        wait_for(pool, Ready)
        pool.submit("worker-1", Job("stopped", SETTING))
        children = started(tmp_path)
    finally:
        pool.stop()
    assert gone(children)


@pytest.mark.parametrize(
    ("device", "error", "message"),
    [
        ("nonsense", UsageError, "no such thing as nonsense"),
        ("dies", TuningError, "exit code 7 while it loaded"),
        ("raises", TuningError, "the models cannot be loaded: KeyError: 'a model'; the traceback is in .*worker-1.log"),
    ],
)
def test_benches_that_do_not_open_are_errors(tmp_path: Path, device: str, error: type, message: str) -> None:
    pool = ProcessPool(BrokenOpener(), devices=[device], logs=tmp_path)
    try:
        with pytest.raises(error, match=message):
            wait_for(pool, Finished)
    finally:
        pool.stop()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_workers_end_with_a_tuner_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path[:0] = {[p for p in sys.path if p and 'tests/' not in p]!r}\n"
        "from pathlib import Path\n"
        "from tuning_toys import ToySession, ToyOpener\n"
        "from hpo_bench.tuning.workers.processes import ProcessPool\n"
        "from hpo_bench.tuning.trial import Job\n"
        "from hpo_bench.merging.setting import MergeSetting\n"
        "if __name__ == '__main__':\n"
        f"    session = ToySession(hang=('x',), spawn=('x',), folder={str(tmp_path)!r})\n"
        f"    pool = ProcessPool(ToyOpener(session), devices=['cpu'], logs=Path({str(tmp_path)!r}))\n"
        "    while not pool.idle: pool.poll(0.1)\n"
        "    pool.submit('worker-1', Job('x', MergeSetting('ta', 1.0, 1.0)))\n"
        "    print(pool._workers[0].process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    root = str(Path(__file__).parents[4])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, str(Path(root) / "tests")])}
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    family = [child, *started(tmp_path)]
    assert all(map(psutil.pid_exists, family))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(family)


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    words = [sys.executable, str(script), str(tmp_path / "logs")]
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    assert done.stdout == f"begun\n{script}\n", done.stderr
