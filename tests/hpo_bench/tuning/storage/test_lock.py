"""One tuner a study, wherever its trials are."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpo_bench.errors import TuningError
from hpo_bench.tuning.storage import lock
from hpo_bench.tuning.storage.url import with_driver

HOLDER = """
import sys, time
from hpo_bench.tuning.storage import lock
with lock.in_storage(sys.argv[1], sys.argv[2]):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_tuner_of_one_study_is_refused_and_others_are_not(url: str) -> None:
    with lock.in_storage(url, "mine"):
        with (
            pytest.raises(TuningError, match=r"study 'mine' in .* is being tuned by another process"),
            lock.in_storage(url, "mine"),
        ):
            pytest.fail("held twice")
        with lock.in_storage(url, "yours"):
            pass
    with lock.in_storage(url, "mine"):
        pass


def test_what_a_killed_tuner_held_is_free(url: str) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, url, "mine"], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TuningError), lock.in_storage(url, "mine"):
            pytest.fail("held twice")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        for _ in range(100):  # a server takes a moment to see that a connection is gone
            try:
                with lock.in_storage(url, "mine"):
                    return
            except TuningError:
                time.sleep(0.05)
        pytest.fail("a killed process still holds the study")
    finally:
        holder.kill()


def test_a_folder_is_held_once(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    with (
        lock.in_folder(folder),
        pytest.raises(TuningError, match="is being tuned by another process"),
        lock.in_folder(folder),
    ):
        pytest.fail("held twice")


def test_databases_that_do_not_answer_are_named_without_their_password() -> None:
    pytest.importorskip("psycopg2")
    with (
        pytest.raises(TuningError, match=r"postgresql://me:\*\*\*@127\.0\.0\.1:9/none cannot be opened"),
        lock.in_storage("postgresql://me:secret@127.0.0.1:9/none", "mine"),
    ):
        pytest.fail("there is no database")


def test_postgresql_gets_the_driver_that_is_there() -> None:
    pytest.importorskip("psycopg2")
    assert with_driver("postgresql://me:pw@db/x") == "postgresql+psycopg2://me:pw@db/x"
    for url in ("postgresql+psycopg://db/x", "mysql://db/x", "sqlite:///x.db", "no url"):
        assert with_driver(url) == url
