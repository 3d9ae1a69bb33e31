"""How every command ends that is stopped."""

import click
import pytest

from hpo_bench import cli


def test_ctrl_c_says_what_is_true_of_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def stopped(**_: object) -> None:
        raise click.Abort

    monkeypatch.setattr(cli, "cli", stopped)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted; give the same command again to go on\n"
