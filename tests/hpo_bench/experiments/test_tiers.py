"""The page about tiers says what was measured. Numbers are SYNTHETIC."""

from pathlib import Path

import checkouts
import numpy as np
import pytest
import synthetic

import hpo_bench as hb
from hpo_bench.analyses import fidelity
from hpo_bench.experiments.tiers import gains, page
from landscapes import catalogue
from landscapes.importing.elsewhere import PUBLICATIONS, import_publication
from landscapes.suites import mini


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nano landscapes and a published checkout."""
    path = tmp_path_factory.mktemp("tiers")
    for place, name in enumerate(("smooth-a/ta", "smooth-b/ta")):
        synthetic.record(path / "all", name, seed=place, tier="nano")
    repo = checkouts.naturelm(path / "repo", n=60)
    import_publication(PUBLICATIONS["naturelm"], repo, root=path / "all", command="import")
    return path / "all"


def test_the_page_has_tiers_optimisers_gains_and_the_mini_suite(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mini, "names", lambda: ["smooth-a/ta"])
    result = hb.run_benchmark(["random", "sobol"], landscapes_dir=root, seeds=2, budget=12, progress=False)
    reports = fidelity.check(catalogue.load_all(root=root))
    text = page.write_page(result, reports, tmp_path).read_text("utf-8")
    for words in (
        "12 in 1 dimension and 12 in 2 dimensions; 2 seeds each",
        f"model-merging-NatureLM-audio, commit {checkouts.HEAD}. Licence: MIT.",
        "| nano | 2 (2) |",
        "| elsewhere | 4 (1) |",
        "| the study |",
        "| nano and elsewhere |",
        "| Qwen3-VL-8B |",
        "| Random, expected |",
        "| 8B audio, 1-D (4), ",
        "| naturelm-audio/cbi-common |",
        "runs 1 landscapes chosen to stand for all that",
        "with 5 seeds unless others are asked for",
        "Kendall's tau of the ranking on these, with 5 seeds, and that on all they stand for, with 2: ",
        "Of 1,000 random choices of as many landscapes",
        "| naturelm-audio/closed_set_classification_2 ‡ |",
    ):
        assert words in text, words
    assert (tmp_path / "tiers.json").exists()


def test_a_gain_is_over_the_end_that_validation_would_pick(root: Path) -> None:
    landscape = catalogue.load("naturelm-audio/cbi-common", root=root)
    found = gains.gain(landscape)
    assert found is not None
    assert found.weight == 0.5
    unseen = landscape.on("test").grid.scores
    assert found.ends == pytest.approx((unseen[0], unseen[-1]))
    assert found.test == pytest.approx(unseen[2])
    assert found.gain == pytest.approx(unseen[2] - unseen[0])  # both ends score the same, and the first is taken
    assert 0 < found.standard_error < np.sqrt(0.5 / 20)
    assert gains.gain(catalogue.load("smooth-a/ta", root=root)) is None
