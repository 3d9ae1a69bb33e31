"""A key that is given twice is no matter of taste."""

import pytest
import yaml

from landscapes import strict_yaml


def wrong(text: str) -> str:
    with pytest.raises(yaml.YAMLError) as caught:
        strict_yaml.load(text)
    return strict_yaml.problem(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' was given on line 1 already; leave one out"),
        ("a: 1\n'a': 1\n", "line 2: key 'a' was given on line 1 already"),
        ("a:\n  b: 1\n  c: {d: 1, d: 2}\n", "line 3: key 'd' was given on line 3 already"),
        ("- {a: 1}\n- {b: 1, b: 2}\n", "line 2: key 'b' was given on line 2 already"),
        ("a: [1\n", "line 2 is not YAML"),
        ("a: !!python/object:os.system {}\n", "line 1 is not YAML (could not determine a constructor"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, words: str) -> None:
    assert words in wrong(text)


def test_everything_else_is_as_pyyaml_reads_it() -> None:
    text = "a: &x {b: 1, c: [2, 3.5, null]}\nd: {<<: *x, b: 4}\n1: true\n"
    assert strict_yaml.load(text) == yaml.safe_load(text)
    assert strict_yaml.load(text)["d"] == {"b": 4, "c": [2, 3.5, None]}
