"""How every command ends that is stopped or goes wrong."""

import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hpo_bench import cli
from hpo_bench.cli import tree
from hpo_bench.display.printing import escaped, in_a_line


@pytest.fixture(autouse=True)
def own_ctrl_c() -> Iterator[None]:
    # A shell's background jobs begin with Ctrl-C ignored, and so would these tests.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def ending(error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> tuple[object, str]:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr(tree, "run", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c_says_what_is_true_of_every_command(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert ending(error, monkeypatch, capsys) == (130, "interrupted; give the same command again to go on\n")


def test_a_ctrl_c_that_an_import_made_another_error_of_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def importing(_: object) -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise ImportError("numpy could not be imported") from error
        return 0

    for run, expected in (  # the second command of one process, too
        (lambda _: 0, (0, "")),
        (importing, (130, "interrupted; give the same command again to go on\n")),
    ):
        monkeypatch.setattr(tree, "run", run)
        with pytest.raises(SystemExit) as ended:
            cli.main([])
        assert (ended.value.code, capsys.readouterr().err) == expected


def test_what_nobody_foresaw_is_one_line_and_a_file_with_the_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, told = ending(ZeroDivisionError("a\x1b[31m \ud800\nb"), monkeypatch, capsys)
    (log,) = tmp_path.iterdir()
    assert code == 2
    assert told == (
        "error: not foreseen: ZeroDivisionError: a\\u001b[31m \\ud800\\nb; please report it with its traceback, "
        f"which is in {log}\n"
    )
    assert "Traceback (most recent call last)" in log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o077 == 0


def test_who_debugs_sees_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv(cli.DEBUG, "1")
    code, told = ending(click.UsageError("no"), monkeypatch, capsys)
    assert code == 2
    assert told.startswith("Traceback (most recent call last)")
    assert told.endswith("error: no\n")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["tun"], "did you mean 'tune'?"),
        (["tune", "--trils", "3"], "did you mean '--trials'?"),
        (["tune", "--budget", "3"], "there is no option --budget; did you mean '--trials'?"),
        (["run", "--trials", "3"], "there is no option --trials; did you mean '--budget'?"),
        (["landscapes", "lst"], "did you mean 'list'?"),
        (["run", "--initial", "centre"], "did you mean 'center'?"),
        (["run", "-o", "gpbo"], "did you mean 'gp-bo'?"),
        (["run", "--suite", "bbobb"], "did you mean 'bbob'?"),
        (["run", "--surrogate", "thin_plate"], "did you mean 'thin_plate_spline'?"),
        (["landscapes", "show", "ja-lama/ta"], "did you mean ja-llama/ta"),
        (["record", "ja-llama", "--method", "tise"], "did you mean 'ties'?"),
        (["record", "ja-llama", "--method", "ta", "--design", "densse"], "did you mean 'dense'?"),
        (["tune", "ja-lama"], "did you mean 'ja-llama'?"),
        (["tune", "ja-llama", "-o", "gp_bo_"], "did you mean 'gp-bo'?"),
        (["ranking", "--guise", "nois"], "did you mean 'noise'?"),
        (["peers", "--stage", "landscape"], "did you mean 'landscapes'?"),
        (["ablation", "-a", "matern32"], "did you mean 'matern-3/2'?"),
        (["doctor", "ja-llama", "--dtype", "bfloat"], "did you mean 'bfloat16'?"),
        (["nano", "build", "ja-lama"], "did you mean 'ja-llama'?"),
    ],
    ids=" ".join,
)
def test_what_was_meant_is_asked(
    typed: list[str], meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli.main(typed)
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert told.count("\n") == 1
    assert meant in told


def test_what_a_terminal_would_obey_is_shown() -> None:
    assert escaped("a\x1b]0;b\x07\u202ec\n") == "a\\u001b]0;b\\u0007\\u202ec\n"
    assert in_a_line("a\nb\r") == "a\\nb"
    assert in_a_line(9000 * "x") == f"{1000 * 'x'} […] {1000 * 'x'}"


def test_python_s_warnings_are_not_for_users(monkeypatch):
    def warn(arguments: list[str]) -> int:
        warnings.warn("of a library, to its programmers", UserWarning, stacklevel=1)
        return 0

    monkeypatch.setattr("sys.warnoptions", [])
    monkeypatch.setattr("hpo_bench.cli.tree.run", warn)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(SystemExit):
            cli.main(["run"])
    assert seen == []


def test_no_traceback_tells_a_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for debug in ("0", "1"):
        monkeypatch.setenv("HPO_BENCH_DEBUG", debug)
        _, said = ending(ValueError("https://me:hunter2@host is down"), monkeypatch, capsys)
    logs = [path.read_text(encoding="utf-8") for path in tmp_path.glob("hpo-bench-error-*.log")]
    assert len(logs) == 2
    for told in (said, *logs):
        assert "hunter2" not in told
        assert "Traceback" in told
        assert "https://***@host is down" in told
