from pathlib import Path

import pytest
import synthetic
import yaml

from landscapes.card import Card
from landscapes.errors import InvalidCardError
from landscapes.space import Parameter


def written(path: Path, /, **changes: object) -> Path:
    """A good card file with changed keys; None removes a key."""
    synthetic.card("smooth-a/dare").write(path)
    keys = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({key: value for key, value in keys.items() if value is not None}))
    return path


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    card = synthetic.card("smooth-a/dare", notes="日本語 — naïve")
    card.write(tmp_path / "card.yaml")
    back = Card.read(tmp_path / "card.yaml")
    assert back == card
    assert back.path == tmp_path / "card.yaml"
    assert "日本語" in (tmp_path / "card.yaml").read_text(encoding="utf-8")
    assert back.space.parameters[2] == Parameter("density", 0.2, 0.8)
    assert back.parameters[2].levels == (0.2, 0.4, 0.6, 0.8)


def test_optional_keys_and_an_unquoted_day(tmp_path: Path) -> None:
    path = written(tmp_path / "card.yaml", notes=None, synthetic=None, direction=None, units=None)
    path.write_text(path.read_text().replace("'2025-01-01'", "2025-01-01"))
    card = Card.read(path)
    assert (card.notes, card.synthetic, card.direction, card.units) == ("", False, "maximise", "fraction correct")
    assert (card.date, card.tier) == ("2025-01-01", "elsewhere")


PARAMETERS = [{"name": "a", "low": 0, "high": 1}, {"name": "b", "low": 0.0, "high": 2.5, "levels": [0, 1, 2.5]}]


def test_levels_may_be_left_out(tmp_path: Path) -> None:
    card = Card.read(written(tmp_path / "card.yaml", parameters=PARAMETERS))
    assert card.parameters[0].levels == ()
    assert card.parameters[1].levels == (0, 1, 2.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pair": None, "licence": None}, r"card\.yaml: pair, licence are missing"),
        ({"licenec": "MIT"}, "there is no key 'licenec'; did you mean 'licence'"),
        ({"direction": "minimise"}, "direction must be maximise, not 'minimise'; negate the scores"),
        ({"tier": "giga"}, "tier must be nano or pretrained or elsewhere, not 'giga'"),
        ({"domain": "math"}, "domain must be language or maths or instructions or other, not 'math'"),
        ({"method": "slerp"}, "method must be ta or dare or ties"),
        ({"tuning_split": "train"}, "tuning_split must be validation or test"),
        ({"name": "other/dare"}, "name must be 'smooth-a/<method>', not 'other/dare'"),
        ({"pair": "../x", "name": "../x/dare"}, "pair must be letters, digits"),
        ({"base": 3}, "base must be text, not 3"),
        ({"metric": ""}, "metric must be text, not ''"),
        ({"synthetic": "no"}, "synthetic must be true or false, not 'no'"),
        ({"date": "yesterday"}, "date must be a day as YYYY-MM-DD"),
        ({"versions": ["torch"]}, "versions must hold keys and values"),
        ({"checkpoints": {"vlm": "model.safetensors"}}, "checkpoints.vlm must hold keys and values"),
        ({"n_examples": {"test": {"skill": 3}}}, "n_examples lacks the tuning split 'validation'"),
        (
            {"n_examples": {"validation": {"skill": 0}}},
            "n_examples.validation.skill must be at least 1, not 0",
        ),
        ({"parameters": []}, "parameters: a search space needs at least one parameter"),
        ({"parameters": "vl_weight"}, "parameters must be a list"),
        ({"parameters": [PARAMETERS[0]] * 2}, "parameters: parameters need different names"),
        ({"parameters": [{"name": "a", "low": 0}]}, r"parameters\[0\]\.high is missing"),
        ({"parameters": [{"name": "a", "low": 2, "high": 1}]}, r"parameters\[0\]: low of a must be below high"),
        ({"parameters": [{**PARAMETERS[1], "levels": [0, 2, 1]}]}, r"parameters\[0\]: levels of b must increase"),
        ({"parameters": [{**PARAMETERS[1], "levels": [0, 3]}]}, r"parameters\[0\]: levels of b must lie in"),
        (
            {"parameters": [{**PARAMETERS[1], "levels": ["x", 3]}]},
            r"parameters\[0\]\.levels\[0\] must be a number, not 'x'",
        ),
        (
            {"parameters": [{**PARAMETERS[1], "level": [3]}]},
            r"no key 'level' in parameters\[0\]; did you mean 'levels'",
        ),
        ({"path": "elsewhere"}, "there is no key 'path'; there are: name, pair, tier"),
        ({"parameters": [{**PARAMETERS[1], "levels": 3}]}, r"parameters\[0\]\.levels must be a list, not 3"),
    ],
)
def test_bad_keys_are_named(tmp_path: Path, changes: dict, message: str) -> None:
    path = written(tmp_path / "card.yaml", **changes)
    with pytest.raises(InvalidCardError, match=message) as caught:
        Card.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [("a: [1, 2", "line 1 is not YAML"), ("- a\n- b", "must hold keys and values, not \\['a'"), ("", "not None")],
)
def test_bad_files_are_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "card.yaml").write_text(content)
    with pytest.raises(InvalidCardError, match=message):
        Card.read(tmp_path / "card.yaml")


def test_a_missing_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidCardError, match=r"card\.yaml does not exist"):
        Card.read(tmp_path / "card.yaml")
    (tmp_path / "card.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidCardError, match="is not UTF-8"):
        Card.read(tmp_path / "card.yaml")
