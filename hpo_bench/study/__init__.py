"""The study's own figures (arXiv 2605.19523), which stand beside ours and enter none of them."""

from importlib.resources import files

import pandas as pd


def loocv() -> dict[str, dict[str, float]]:
    """Table 12: leave-one-out RMSE of its surrogates in % of the metric's range, by dataset-pair and method."""
    table = _read("table12_loocv_rmse_percent.csv")
    return {
        str(dataset): dict(zip(rows["method"], rows["rmse_percent"].astype(float), strict=True))
        for dataset, rows in table.groupby("dataset", sort=False)
    }


def restriction_costs() -> pd.DataFrame:
    """Table 3: columns scenario, method (TA, DARE, TIES), restriction and relative_regret_percent."""
    return _read("table3_relative_regret_percent.csv")


def _read(name: str) -> pd.DataFrame:
    with (files("hpo_bench.study") / name).open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#")
