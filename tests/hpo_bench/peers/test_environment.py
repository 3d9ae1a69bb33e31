"""Environments and processes of peers that live apart, with a toy in place of a peer."""

import gc
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from hpo_bench.errors import UsageError
from hpo_bench.peers import environment
from hpo_bench.peers.environment import Apart, Server

SERVER = """
import json, sys, time
for line in sys.stdin:
    message = json.loads(line)
    if message["do"] == "die":
        sys.exit(7)
    if message["do"] == "babble":
        print(message["x"], flush=True)
        continue
    reply = {"error": "no such thing"} if message["do"] == "fail" else {"answer": message["x"] * 2, "seconds": 0.25}
    print(json.dumps(reply), flush=True)
"""


class Here(Apart):
    """This very interpreter for an environment."""

    python = sys.executable


@pytest.fixture
def serve(tmp_path, monkeypatch):
    (tmp_path / "serve_toy.py").write_text(SERVER)
    monkeypatch.setattr(environment, "SERVERS", tmp_path)
    return lambda: Server(Here("toy", ()))


def test_a_process_answers_and_its_seconds_count(serve):
    server = serve()
    assert [server.call(do="double", x=x) for x in (1, 2)] == [2, 4]
    assert server.seconds == 0.5
    process = server._process
    del server
    gc.collect()
    assert process.poll() == 0


def test_what_goes_wrong_in_it_is_said(serve):
    server = serve()
    with pytest.raises(RuntimeError, match="toy: no such thing"):
        server.call(do="fail")
    assert server.call(do="double", x=3) == 6
    with pytest.raises(RuntimeError, match="the process of toy ended with exit status 7"):
        server.call(do="die")


@pytest.mark.parametrize("said", ["a warning of some library", "[1]", '{"answer": 1}', "[" * 3000])
def test_what_is_no_answer_is_said_to_be_none(serve, said):
    with pytest.raises(RuntimeError, match="the process of toy"):
        serve().call(do="babble", x=said)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "is not JSON"), ("[]", "has no version of smac"), ('{"smac": 1}', "is damaged"), ("[" * 3000, "too deeply")],
)
def test_a_damaged_list_of_versions_is_named(tmp_path, monkeypatch, content, message):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = Apart("smac", ("smac",))
    made.python.parent.mkdir(parents=True)
    made.python.touch()
    (made.folder / environment.READY).write_text(content)
    with pytest.raises(UsageError, match=rf"ready\.json.*{message}"):
        made.version("smac")


def wheel(folder):
    """A package with nothing in it."""
    path = folder / "toy-1.5-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toy.py", "")
        archive.writestr("toy-1.5.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1.5\n")
        archive.writestr("toy-1.5.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("toy-1.5.dist-info/RECORD", "")
    return str(path)


def test_an_environment_is_made_once_and_knows_its_versions(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    toy = Apart("toy", (wheel(tmp_path),))
    with pytest.raises(UsageError, match="the environment of toy is not made"):
        toy.version("toy")
    toy.make()
    assert toy.version("Toy") == "1.5"
    assert "making an environment for toy" in capsys.readouterr().err
    toy.make()
    assert capsys.readouterr().err == ""

    def alike(_, folder):  # as pip takes seconds to be put into an environment
        folder.mkdir()
        for part in ("bin", "lib", "pyvenv.cfg"):
            (folder / part).symlink_to(toy.folder / part)

    monkeypatch.setattr(environment.venv.EnvBuilder, "create", alike)
    broken = Apart("toy", (str(tmp_path / "absent.whl"),))
    with pytest.raises(UsageError, match="toy cannot be installed in an environment of its own"):
        broken.make()
    assert not broken.folder.exists()
    assert toy.ready
    toy.python.unlink()
    assert not toy.ready, "of an environment whose Python is gone nothing can run"


def test_what_was_interrupted_is_not_taken_for_complete(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(environment.subprocess, "run", interrupted)
    monkeypatch.setattr(environment.venv, "EnvBuilder", lambda **_: SimpleNamespace(create=Path.mkdir))
    toy = Apart("toy", ("toy",))
    with pytest.raises(KeyboardInterrupt):
        toy.make()
    assert not toy.ready
    assert not toy.folder.exists()
