"""Our intervals hold the truth as often as they say, in worlds in which it is known."""

from pathlib import Path

import pytest

from hpo_bench.experiments import coverage
from hpo_bench.experiments.coverage import World, of_difference, of_seeds, of_summary
from hpo_bench.statistics.ratios import geometric_mean, median, ratio_of_means

REPLICATES = 400
"""The standard error of a coverage of 95% is 1.1%."""


@pytest.mark.parametrize("summary", [ratio_of_means, geometric_mean, median])
@pytest.mark.parametrize("spread", [0.0, 0.7])
def test_figures_over_ten_pairs_hold_in_95_of_100(summary, spread):
    assert 0.92 <= of_summary(summary, World(10, spread), replicates=REPLICATES) <= 0.985


def test_where_pairs_differ_much_a_ratio_of_means_still_holds_more_often_than_not():
    """A percentile bootstrap holds in 69 of 100 here."""
    assert of_summary(ratio_of_means, World(10, 1.5), replicates=REPLICATES) > 0.86


def test_between_two_alike_a_difference_is_found_in_one_of_twenty():
    """With the luck of seeds alone: a bootstrap that counts it twice finds one in a thousand."""
    assert 0.925 <= of_difference(World(10, 0.0), replicates=REPLICATES) <= 0.98


@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_a_difference_from_a_much_better_one_holds(spread):
    assert of_difference(World(10, spread), factor=20.0, replicates=REPLICATES) > 0.9


@pytest.mark.parametrize("seeds", [3, 10])
def test_with_one_pair_the_seeds_are_held(seeds):
    assert 0.92 <= of_seeds(World(1, 0.0, seeds), replicates=REPLICATES) <= 0.985


def test_the_page_is_of_these_intervals():
    """Its row of ten pairs and a spread of .3, made again."""
    text = (Path(coverage.__file__).parents[2] / coverage.PAGE).read_text(encoding="utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith("| 10 pairs, 0.3 |"))
    made = of_summary(ratio_of_means, World(10, 0.3)), of_difference(World(10, 0.3), factor=20.0)
    shown = [cell.strip() for cell in row.strip("|").split("|")]
    assert (shown[1], shown[-1]) == tuple(f"{100 * one:.1f}%" for one in made)


def test_a_mean_over_few_pairs_of_a_domain_holds():
    """Percentiles of a bootstrap over them hold in 75 to 90 of 100."""
    assert coverage.of_methods(3, spread=0.05, replicates=60, draws=200) >= 0.87


@pytest.mark.parametrize(("examples", "differing"), [(80, 0.03), (80, 0.3), (320, 0.03)])
def test_two_merges_on_the_same_examples_are_told_apart_as_often_as_is_said(examples, differing):
    assert coverage.of_answers(examples, differing=differing, replicates=REPLICATES) >= 0.93
