"""What may have been meant by a name that nothing has."""

import pytest

from surrogates.spelling import did_you_mean, nearest


@pytest.mark.parametrize(
    ("typed", "known", "meant"),
    [
        ("lr", ["epochs", "model.lr", "train/wd"], "model.lr"),
        ("wd", ["epochs", "model.lr", "train/wd"], "train/wd"),
        ("LR", ["lr.decay", "model.lr"], "model.lr"),
        ("gp", ["gp-bo", "random"], "gp-bo"),
        ("batchsize", ["batch_size", "metric"], "batch_size"),
        ("f2", ["a", "b", "f1"], "f1"),
        ("--seed", ["--speed", "--suite-seed", "--seeds"], "--suite-seed"),
    ],
)
def test_the_nearest_is_named(typed: str, known: list[str], meant: str) -> None:
    assert nearest(typed, known) == [meant]


def test_nothing_near_is_not_guessed() -> None:
    assert did_you_mean("colour", ["density", "metric"]) == ""
    assert did_you_mean("--trials", ["--threads", "--repeats"]) == ""
    assert did_you_mean("--pair", ["--no-pair", "--shape"]) == ""
    assert did_you_mean("--no-hold-out", ["--hold-out"]) == ""
    assert did_you_mean("out", ["onto", "suite"]) == ""
    assert nearest("", ["a.", "b/"]) == []
