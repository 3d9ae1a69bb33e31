"""What of an error is shown."""

import pytest

from hpo_bench.display.printing import publishable


def test_where_one_stands_is_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PWD", "/home/somebody/merges")
    monkeypatch.setenv("DATABASE_PWD", "correct horse")
    said = publishable("the study's pair is no more at /home/somebody/merges/pair, says correct horse")
    assert said == "the study's pair is no more at /home/somebody/merges/pair, says ***"
