import pytest

from hpo_bench.tables import above_noise, headline, leader, noise_sentence
from hpo_bench.wording import brackets, interval, multiple, number, seconds


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
            }
            for point in counted
        }
        for label, value in values
    }
    band = {name + suffix: [0.8, 1.2] for name in names for suffix in ("", "_all")}
    return {
        "landscapes": [{}] * 4,
        "null_band": dict.fromkeys(counted, band),
        "exclusions": {point: {"counted": count, "excluded": 4 - count} for point, count in counted.items()},
        "optimisers": {
            label.lower(): {
                "label": label,
                "at": at[label],
                "equivalent_random_budget": {"median": 80.0, "median_multiple": 2.0, "most": 1e4},
                "seconds_per_suggestion": 0.004,
            }
            for label, _ in values
        },
    }


def test_the_headline_is_about_all_landscapes():
    table = headline(content(counted={"10": 0, "end": 0}))
    assert table.rows[0].cells == (
        "0.20 [0.10, 0.40]", "0.20 [0.10, 0.40]", "0.20 [0.10, 0.40]", "0.10 [0.05, 0.20]", "2.0×", "0.004",
    )  # fmt: skip
    assert table.rows[-1].cells[:3] == ("[0.80, 1.20]",) * 3
    assert {len(row.cells) for row in table.rows} == {len(table.columns) - 1}


def test_the_second_table_is_there_where_some_landscapes_count_and_names_how_many():
    assert above_noise(content(counted={"10": 4, "end": 4})) is None
    assert above_noise(content(counted={"10": 0, "end": 0})) is None
    table = above_noise(content(counted={"10": 3, "end": 0}))
    assert table.columns == (
        "optimiser",
        "median RoR, t\u00a0=\u00a010 (3 of 4)",
        "ratio of means, t\u00a0=\u00a010 (3 of 4)",
    )


def test_exclusions_are_counted_aloud():
    assert "under the noise of a comparison of two settings on 1 of 4 at t = 10, 4 of 4 at the end" in noise_sentence(
        content(counted={"10": 3, "end": 0})
    )
    assert "on every landscape" in noise_sentence(content(counted={"end": 4}))


def test_whoever_shares_the_printed_figure_shares_the_lead():
    tied = (("GP-BO", 0.001), ("Powell", 0.002), ("Grid", 0.0021), ("Random", 1.0))
    assert "after 10 evaluations GP-BO, Powell and Grid <0.01" in leader(content(counted={"10": 4}, values=tied))
    assert "at the end GP-BO 0.20 [0.10, 0.40]." in leader(content(counted={"end": 4}))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (number(None), "–"), (number(0.0), "0.00"), (number(0.0049), "<0.01"), (number(0.005), "0.01"),
        (number(123.4), "123"), (interval(figures(None)), "–"), (brackets([None, None]), "–"),
        (interval({"value": 0.001, "low": 0.0005, "high": 0.002}), "<0.01"), (seconds(3e-5), "<0.0001"),
        (multiple({"median": 1e4, "median_multiple": 167.3, "most": 1e4}), "≥ 167×"),
    ],
)  # fmt: skip
def test_wording(said, expected):
    assert said == expected
