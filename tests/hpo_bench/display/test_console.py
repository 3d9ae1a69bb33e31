"""How what is printed is broken into lines."""

from io import StringIO

import pytest

from hpo_bench.display.console import PlainConsole

PATH = "/a/folder/of/a/long/name/" + 8 * "and/deep/" + "page.html"
SENTENCE = f"3,555 examples do not tell the recommended setting from another good one; the page is {PATH} as ever"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_breaks_between_words_and_never_within_a_path(*, terminal: bool) -> None:
    shown = StringIO()
    PlainConsole(file=shown, width=40, force_terminal=terminal).print(SENTENCE)
    lines = shown.getvalue().splitlines()
    assert [word for line in lines for word in line.split()] == SENTENCE.split()
    assert len(lines) == (5 if terminal else 1)
    assert all(len(line) <= 40 or line.strip() == PATH for line in lines) == terminal
