import pytest

from hpo_bench.benchmark import answer
from hpo_bench.benchmark.sentences import comparison_sentence, leader, noise_sentence, sound_sentence, unseen_sentence
from hpo_bench.benchmark.tables import above_noise, by_optimizer, comparisons, headline, losses, sound, targets
from hpo_bench.display.words import (
    brackets,
    interval,
    multiple,
    number,
    p_value,
    percent,
    probability,
    seconds,
    share,
)


def figures(value):
    return {"value": value, "low": value and value / 2, "high": value and value * 2}


def content(*, counted, values=(("GP-BO", 0.2), ("Random", 1.0))):
    names = ("median_ror", "geometric_mean_ror", "ratio_of_means")
    at = {
        label: {
            point: {
                "mean_regret": figures(0.1),
                **{name: figures(value if counted[point] else None) for name in names},
                **{f"{name}_all": figures(value) for name in names},
                **{f"{name}_sound": figures(value / 2) for name in names},
            }
            for point in counted
        }
        for label, value in values
    }
    band = {name + suffix: [0.8, 1.2] for name in names for suffix in ("", "_all", "_sound")}
    return {
        "landscapes": [{"pair": name, "noise_of_a_comparison": 0.01} for name in "abcd"],
        "sound": 4,
        "noisy": False,
        "null_band": dict.fromkeys(counted, band),
        "exclusions": {point: {"counted": count, "excluded": 4 - count} for point, count in counted.items()},
        "optimizers": {
            label.lower(): {
                "label": label,
                "at": at[label],
                "targets": {
                    "0.1": {"share_reached": 1.0, "median_evaluations": 7.0, "average_running_time": 8.2},
                    "0.01": {"share_reached": 0.2, "median_evaluations": None, "average_running_time": 190.0},
                },
                "equivalent_random_budget_all": {"median_multiple": 2.0, "at_least": False},
                "equivalent_random_budget_sound": {"median_multiple": 0.82, "at_least": False},
                "seconds_per_suggestion_all": 0.004,
                "seconds_per_suggestion_sound": 0.003,
            }
            for label, _ in values
        },
    }


def test_the_headline_is_about_all_landscapes():
    table = headline(content(counted={"10": 0, "end": 0, "t>=10": 0}))
    assert table.columns[1:5] == (
        "median RoR, t\u00a0=\u00a010", "median RoR, end", "ratio of means, end", "ratio of means, t\u00a0≥\u00a010",
    )  # fmt: skip
    assert table.rows[0].cells == (*("0.20 [0.10, 0.40]",) * 4, "2.0×", "0.004")
    assert table.rows[-1].cells[:3] == ("[0.80, 1.20]",) * 3
    assert {len(row.cells) for row in table.rows} == {len(table.columns) - 1}


def test_the_second_table_is_there_where_some_landscapes_count_and_names_how_many():
    assert above_noise(content(counted={"10": 4, "end": 4})) is None
    assert above_noise(content(counted={"10": 0, "end": 0})) is None
    table = above_noise(content(counted={"10": 3, "end": 0}))
    assert table.columns == (
        "optimiser",
        "median RoR, t\u00a0=\u00a010 (3\u00a0of\u00a04)",
        "ratio of means, t\u00a0=\u00a010 (3\u00a0of\u00a04)",
    )


def test_weak_landscapes_are_left_out_once_more():
    found = content(counted={"end": 4})
    assert (sound(found), sound_sentence(found)) == (None, "")
    found["sound"] = 1
    assert sound(found).rows[0].cells == ("0.10 [0.05, 0.20]", "0.10 [0.05, 0.20]", "0.8×", "0.003")
    assert sound_sentence(found).startswith("3 of 4 landscapes are weak")
    found["sound"] = 3
    assert sound_sentence(found).startswith("1 of 4 landscapes is weak")
    found["sound"] = 0
    assert sound(found) is None
    assert "All 4 landscapes are weak" in sound_sentence(found)
    found["landscapes"] = [{}]
    assert sound_sentence(found).startswith("The only landscape is weak")


def test_comparisons_are_shown_with_their_verdicts():
    one = {
        "other": "random", "difference": figures(0.8), "better_on": 3, "worse_on": 1, "p_holm": 0.001,
        "verdict": "better",
    }  # fmt: skip
    found = content(counted={"end": 4, "t>=10": 4})
    found["landscapes"] = [{"pair": name} for name in "abcdef"]
    found["comparisons"] = {
        "reference": "gp-bo", "at": {"end": [{**one, "verdict": "open", "p_holm": None}], "t>=10": [one]},
        "probability": {"random": {"better": 0.998, "equivalent": 0.002, "worse": 0.0}},
    }  # fmt: skip
    table = comparisons(found)
    assert table.columns[0] == "GP-BO against"
    assert table.rows[0].cells == ("0.80 [0.40, 1.60]", "3 : 1", "<.01", ">.99 / <.01 / <.01", "better", "open")
    assert comparison_sentence(found) == "GP-BO is significantly better than Random (from t = 10 on)."
    for pairs, said in (("aabb", "2 pairs are"), ("aaaa", "One pair is")):
        found["landscapes"] = [{"pair": name} for name in pairs]
        assert comparison_sentence(found).startswith(f"{said} too few to call a difference significant or not")
    found["comparisons"]["at"] = {"end": [], "t>=10": []}
    assert (comparisons(found), comparison_sentence(found)) == (None, "")


def test_targets_that_few_reach_are_said_so():
    table = targets(content(counted={"end": 4}))
    assert table.rows[0].cells == ("7", "100%", "8", "not reached", "20%", "190")


def test_exclusions_are_counted_aloud():
    assert (
        "under the noise of a comparison of two settings on 1 of 4 at t\xa0=\xa010, 4 of 4 at the end"
        in noise_sentence(content(counted={"10": 3, "end": 0}))
    )
    assert "on every landscape" in noise_sentence(content(counted={"end": 4}))


def test_noise_that_nobody_knows_is_not_said_to_be_small():
    found = content(counted={"end": 4})
    found["landscapes"][0]["noise_of_a_comparison"] = None
    assert noise_sentence(found) == (
        "Random's own regret is above the noise of a comparison wherever that is known: ratios could be observed. On 1 "
        "of 4 that noise is not known, and it counts as without."
    )
    found["exclusions"]["end"] = {"counted": 3, "excluded": 1}
    found["landscapes"][1]["noise_of_a_comparison"] = None
    assert noise_sentence(found).endswith("On 2 of 4 that noise is not known, and they count as without.")
    for one in found["landscapes"]:
        one["noise_of_a_comparison"] = None
    assert "is not known here, so that nothing says whether ratios could be observed" in noise_sentence(found)


def test_whoever_shares_the_printed_figure_shares_the_lead():
    tied = (("GP-BO", 0.001), ("Powell", 0.002), ("Grid", 0.0021), ("Random", 1.0))
    assert "after 10 evaluations GP-BO, Powell and Grid <0.01" in leader(content(counted={"10": 4}, values=tied))
    assert "at the end GP-BO 0.20 [0.10, 0.40]." in leader(content(counted={"end": 4}))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (number(None), "–"), (number(0.0), "0.00"), (number(0.0049), "<0.01"), (number(0.005), "0.01"),
        (number(123.4), "123"), (number(-0.004), ">-0.01"), (number(-123.4), "-123"), (number(-0.2), "-0.20"),
        (probability(0.25), ".25"), (probability(None), "–"),
        (interval(figures(None)), "–"), (brackets([None, None]), "–"),
        (interval({"value": 0.001, "low": 0.0005, "high": 0.002}), "<0.01"),
        (interval({"value": 0.3, "low": None, "high": None}), "0.30"), (seconds(3e-5), "<0.0001"),
        (seconds(0.0123), "0.012"), (seconds(99.7), "100"), (seconds(1234.0), "1234"),
        (multiple({"median_multiple": 167.3, "at_least": True}), "≥ 167×"),
        (number(-0.0), "0.00"), (number(99.996), "100"), (number(-99.996), "-100"), (percent(-1e-6), "0.0%"),
        (share(1.0), "100%"), (share(0.997), ">99%"), (share(0.003), "<1%"), (share(0.0), "0%"), (share(0.5), "50%"),
        (share(1 / 200), "<1%"), (share(199 / 200), ">99%"),
        (p_value(0.0478), ".048"), (p_value(0.0531), ".053"), (p_value(0.0561), ".06"), (p_value(0.001), "<.01"),
        (p_value(None), "–"), (p_value(204 / 4096), ".0498"), (p_value(0.05), ".050"), (p_value(0.05004), ".05004"),
    ],
)  # fmt: skip
def test_wording(said, expected):
    assert said == expected


def test_what_is_lost_on_unseen_examples_is_said_of_the_reference_and_of_the_others():
    found = content(counted={"10": 4, "end": 4}, values=(("GP-BO", 0.2), ("Powell", 0.5), ("Random", 1.0)))
    found |= {"unseen": None, "comparisons": {"reference": "gp-bo"}}
    assert unseen_sentence(found) == ""
    lost = {"10": (0.56, 2.47, 1.53), "end": (0.47, 0.56, 0.73)}
    found["unseen"] = {
        "landscapes": 4,
        "unit": "points",
        "at": {
            point: {name: figures(value) for name, value in zip(("gp-bo", "powell", "random"), values, strict=True)}
            for point, values in lost.items()
        },
    }
    assert unseen_sentence(found).endswith(
        "in points: at t\u00a0=\u00a010 GP-BO 0.56 and the others 1.53 (Random) to 2.47 (Powell); "
        "at the end GP-BO 0.47 and the others 0.56 (Powell) to 0.73 (Random)."
    )
    table = by_optimizer(found, losses(found, "loss in points"))
    assert table.columns[1:] == ("loss in points, t\u00a0=\u00a010", "loss in points, end")
    assert table.rows[1].cells == ("2.47 [1.24, 4.94]", "0.56 [0.28, 1.12]")


def answered(*, saved, sooner=None, seeds=10, pairs="abcd", of=4):
    """What a benchmark says of GP-BO against Random, by the points that it saves at the end, and sooner."""
    found = content(counted={"end": 4})
    lost = {name: figures(1.0) for name in ("gp-bo", "random")}
    differences = ({"10": sooner} if sooner else {}) | {"end": saved}
    found["landscapes"] = [
        {"pair": name, "noise_of_a_comparison": 0.01, "budget": 40, "tier": "nano"} for name in pairs
    ]
    return found | {
        "seeds": seeds,
        "comparisons": {"reference": "gp-bo"},
        "real": None,
        "unseen": {
            "landscapes": of, "unit": "points", "at": dict.fromkeys(differences, lost),
            "saved": {
                point: {"random": dict(zip(("value", "low", "high"), one, strict=True))}
                for point, one in differences.items()
            },
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            answered(saved=(1.0, 0.5, 1.5)),
            "A study of one's own could not show it: on the examples that are tuned on, the difference between two "
            "good settings is known to a standard error of 1.00 points (median). It shows in the mean over 4 "
            "landscapes of 4 pairs.",
        ),
        (answered(saved=(-1.0, -1.5, -0.5), of=3), "It shows in the mean over 3 landscapes."),
        (
            answered(saved=(3.0, 2.5, 3.5)),
            "A study of one's own could show what is beyond 1.96 points, and nothing less: on the examples that are "
            "tuned on, the difference between two good settings is known to a standard error of 1.00 points (median).",
        ),
        (
            answered(saved=(3.0, 2.5, 3.5), sooner=(1.0, 0.5, 1.5)),
            "standard error of 1.00 points (median). What is less shows in the mean over 4 landscapes of 4 pairs.",
        ),
        (answered(saved=(3.0, 2.5, 3.5), sooner=(1.0, -0.5, 2.5)), "a standard error of 1.00 points (median)."),
        (
            answered(saved=(1.0, 0.5, 1.5), sooner=(3.0, -1.0, 7.0)),
            "It shows in the mean over 4 landscapes of 4 pairs, where its interval does not hold 0.",
        ),
        (
            answered(saved=(1.0, -0.5, 2.5)),
            "On the examples that are tuned on, the difference between two good settings is known to a standard error "
            "of 1.00 points (median).",
        ),
    ],
)
def test_what_shows_is_said_to_show_and_nothing_else(made, said):
    assert answer.sentences(made)["What of that is beyond the noise"].endswith(said)


def test_differences_without_intervals_are_not_said_to_have_some():
    assert answer.sentences(answered(saved=(1.0, 0.5, 1.5)))["What it gains on unseen examples"].endswith(
        "Differences are paired; in brackets are 95% intervals over pairs; one that holds 0 shows nothing."
    )
    alone = answer.sentences(answered(saved=(1.0, None, None), seeds=2, pairs="aaaa"))
    assert alone["What it gains on unseen examples"] == (
        "At the end, the recommendation of GP-BO scores 1.00 points higher than that of Random. Differences are "
        "paired, and show nothing: there are no intervals, which take 3 seeds or more (--seeds)."
    )
    assert "shows in the mean" not in alone["What of that is beyond the noise"]
    few = answer.sentences(answered(saved=(1.0, None, None), of=2))
    assert few["What it gains on unseen examples"].endswith(
        "show nothing: there are no intervals, as unseen examples were recorded of too few pairs."
    )
    two = answer.sentences(answered(saved=(1.0, None, None), pairs="aabb"))
    assert "which take landscapes of 3 pairs or more, or of one alone." in two["What it gains on unseen examples"]
