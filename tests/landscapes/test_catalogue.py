import re
from pathlib import Path

import pytest
import synthetic

from landscapes import catalogue
from landscapes.errors import InvalidCardError, LandscapeError, UnknownLandscapeError
from surrogates.errors import UnknownKernelError

ALL = ["ja-llama/dare", "ja-llama/ta", "zh-mistral/ta", "zh-mistral/ties"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    for name in ALL:
        synthetic.record(folder, name)
    (folder / "notes").mkdir()
    return folder


def test_names_are_sorted(root: Path) -> None:
    assert catalogue.names(root) == ALL
    with pytest.raises(UnknownLandscapeError, match="nowhere is not a folder"):
        catalogue.names(root / "nowhere")


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ([], ALL),
        (["ja-llama/ta"], ALL[1:2]),
        (["ja-llama"], ALL[:2]),
        (["ta"], ALL[1:3]),
        (["*/ties"], ALL[3:]),
        (["zh-*", "ta", "zh-mistral/ta"], ALL[1:]),
    ],
)
def test_patterns(root: Path, patterns: list[str], chosen: list[str]) -> None:
    assert catalogue.match(patterns, root) == chosen


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ja-lama/ta", "did you mean ja-llama/ta"),
        ("ja-lama", "did you mean ja-llama"),
        ("qwxyz", "there are ja-llama/dare, "),
    ],
)
def test_unknown_names_are_answered_by_the_nearest(root: Path, name: str, hint: str) -> None:
    with pytest.raises(UnknownLandscapeError, match=hint):
        catalogue.match([name], root)
    with pytest.raises(UnknownLandscapeError, match=f"no landscape is called '{name}'"):
        catalogue.load(name, root=root)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ta", "did you mean ja-llama/ta or zh-mistral/ta?"),
        ("ties", "did you mean zh-mistral/ties?"),
        ("ja-llama", "did you mean ja-llama/dare or ja-llama/ta?"),
        ("ja-lama", "did you mean ja-llama/dare or ja-llama/ta?"),
    ],
)
def test_what_is_suggested_loads_and_comes_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    with pytest.raises(UnknownLandscapeError, match=re.escape(f"called {name!r} in {root}; {hint}") + "$"):
        catalogue.load(name, root=root)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(catalogue, "ROOT", root)
    synthetic.record(tmp_path / catalogue.OWN, "ja-llama/ta")  # there twice, and one name all the same
    with pytest.raises(UnknownLandscapeError, match=re.escape(f"called {name!r}; {hint}") + "$"):
        catalogue.load(name)


def test_an_empty_catalogue_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnknownLandscapeError, match="none is recorded under"):
        catalogue.load("ja-llama/ta", root=tmp_path)


def test_ones_own_are_found_by_name_and_never_run_unasked(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(catalogue, "ROOT", root)
    synthetic.record(tmp_path / catalogue.OWN, "mine/dare")
    synthetic.record(tmp_path / catalogue.OWN, "mine/ta")
    assert catalogue.names() == ALL
    assert catalogue.match([]) == ALL
    assert catalogue.match(["mine"]) == ["mine/dare", "mine/ta"]
    assert catalogue.match(["ta"]) == ALL[1:3]  # those that ship come first
    assert catalogue.load("mine/dare").name == "mine/dare"
    with pytest.raises(UnknownLandscapeError, match="did you mean mine/dare"):
        catalogue.load("mine/dre")
    with pytest.raises(UnknownLandscapeError):
        catalogue.load("mine/dare", root=root)


def test_loads_with_a_kernel(root: Path) -> None:
    assert catalogue.load("ja-llama/ta", root=root).surrogate.settings["kernel"] == "thin_plate_spline"
    assert catalogue.load("ja-llama/ta", root=root, surrogate="cubic").surrogate.settings["kernel"] == "cubic"
    assert catalogue.load("ja-llama/ta", root=root, surrogate="gp").surrogate.settings["kernel"] == "gp"
    with pytest.raises(UnknownKernelError):
        catalogue.load("ja-llama/ta", root=root, surrogate="cubical")
    assert [one.name for one in catalogue.load_all(["ta"], root=root)] == ALL[1:3]


def test_a_card_in_the_wrong_folder_is_refused(tmp_path: Path) -> None:
    synthetic.record(tmp_path, "a/ta").parent.rename(tmp_path / "b")
    with pytest.raises(InvalidCardError, match="'a/ta' does not match the folder 'b/ta'"):
        catalogue.load("b/ta", root=tmp_path)


def test_every_landscape_that_ships_can_be_used() -> None:
    for landscape in catalogue.load_all():
        try:
            assert landscape.range > 0
            assert landscape.optimum.gap < 0.01 * landscape.range
            assert not landscape.card.synthetic
            assert landscape.card.tier in ("nano", "pretrained")
            assert landscape.card.checkpoints
        except LandscapeError as error:
            pytest.fail(str(error))


def test_a_tier_means_its_landscapes(tmp_path: Path) -> None:
    for name, tier in (("a/ta", "nano"), ("b/ta", "pretrained"), ("b/ties", "pretrained"), ("c/ta", "elsewhere")):
        synthetic.record(tmp_path, name, tier=tier)
    assert catalogue.match(["pretrained"], tmp_path) == ["b/ta", "b/ties"]
    assert catalogue.match(["elsewhere", "nano"], tmp_path) == ["a/ta", "c/ta"]
    synthetic.record(tmp_path, "pretrained/ta", tier="nano")
    assert catalogue.match(["pretrained"], tmp_path) == ["pretrained/ta"]  # a name comes first
