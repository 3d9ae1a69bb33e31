"""Figures of the study (arXiv 2605.19523) that stand beside ours; never an input to our own."""

from importlib.resources import files

import pandas as pd


def loocv() -> dict[str, dict[str, float]]:
    """Table 12: leave-one-out RMSE of its surrogates in % of the metric's range, by dataset-pair and method."""
    with (files("hpo_bench.report") / "study" / "table12_loocv_rmse_percent.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file, comment="#")
    return {
        str(dataset): dict(zip(rows["method"], rows["rmse_percent"].astype(float), strict=True))
        for dataset, rows in table.groupby("dataset", sort=False)
    }
