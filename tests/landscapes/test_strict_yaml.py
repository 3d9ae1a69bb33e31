"""What a YAML file of a person's may hold, and what is said of the rest."""

import pytest
import yaml

from landscapes.written import strict_yaml


def wrong(text: str) -> str:
    with pytest.raises(strict_yaml.YamlError) as caught:
        strict_yaml.load(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join(10 * [f'*a{i - 1}'])}]\n" for i in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' was given on line 1 already; leave one out"),
        ("a: 1\n'a': 1\n", "line 2: key 'a' was given on line 1 already"),
        ("a:\n  b: 1\n  c: {d: 1, d: 2}\n", "line 3: key 'd' was given on line 3 already"),
        ("- {a: 1}\n- {b: 1, b: 2}\n", "line 2: key 'b' was given on line 2 already"),
        ("a: [1\n", "line 2 is not YAML"),
        ("a: !!python/object:os.system {}\n", "line 1: !!python/object:os.system has no meaning here"),
        ("a: !mine 3\n", "line 1: !mine has no meaning here"),
        ("b: 1\na: !!set {x, y}\n", "line 2: !!set has no meaning here; write text, numbers, lists and mappings"),
        ("a: !!binary aGVsbG8=\n", "line 1: !!binary has no meaning here"),
        ("a: !!omap [x: 1]\n", "line 1: !!omap has no meaning here"),
        ("a: !!timestamp 2024-01-01\n", "line 1: !!timestamp has no meaning here"),
        ("1: true\n", "line 1: key '1' is not text; put it in quotes if it is meant"),
        ("yes: true\n", "line 1: key 'yes' is not text"),
        ("[a]: true\n", "line 1: key a list or mapping is not text"),
        ("a: &x [1, *x]\n", "line 1: an alias stands for what it stands in; write it out"),
        (BOMB, "line 5: holds more than 100,000 values with its aliases"),
        ("a: " + 80 * "[" + 80 * "]", "line 1: is nested more than 64 levels deep; flatten it"),
        ("a: " + 4000 * "[" + 4000 * "]", "line 1: is nested more than 64 levels deep; flatten it"),
        ("a: " + 5000 * "9", "line 1: "),
        ("a: " + 50 * "9", "line 1: a whole number of 50 digits is too large"),
        ("a: !!int seven\n", "line 1: 'seven' is no int; correct it"),
        ("a: !!bool maybe\n", "line 1: 'maybe' is no bool"),
        ('a: "\\ud800"\n', "line 1: text '\\ud800' holds half of a character (a lone surrogate)"),
        ('a: "\\0"\n', "line 1: text '\\x00' holds a NUL; leave it out"),
        ("a: \x1b[31m\n", "is not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, words: str) -> None:
    assert words in wrong(text)


def test_everything_else_is_as_pyyaml_reads_it() -> None:
    text = "a: &x {b: 1, c: [2, 3.5, null]}\nd: {<<: *x, b: 4}\n'1': true\ne: -0x1F\n"
    assert strict_yaml.load(text) == yaml.safe_load(text)
    assert strict_yaml.load(text)["d"] == {"b": 4, "c": [2, 3.5, None]}


def test_a_day_is_text_whether_it_exists_or_not() -> None:
    assert strict_yaml.load("a: 2024-02-30\nb: 2024-01-01 10:00:00\n") == {
        "a": "2024-02-30",
        "b": "2024-01-01 10:00:00",
    }
