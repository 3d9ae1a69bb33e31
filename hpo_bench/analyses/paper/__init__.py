"""The study's own figures (arXiv 2605.19523), which stand beside ours and enter none of them."""

from collections.abc import Mapping
from importlib.resources import files

import pandas as pd

DOMAIN = {
    "CMMMU": "language",
    "JMMMU": "language",
    "MathVista-math": "maths",
    "MathVerse": "maths",
    "MIA-Bench": "instructions",
    "WildVision": "instructions",
}


def scores() -> pd.DataFrame:
    """Table 1, in per cent: columns method, benchmark, vlm, score, domain, and gain over the base VLM."""
    table = _read("table1_scores")
    base = table[table["method"] == "Base VLM"].rename(columns={"score": "base"}).drop(columns="method")
    table = table.merge(base, on=["benchmark", "vlm"], how="left")
    table["gain"] = table["score"] - table["base"]
    table["domain"] = [DOMAIN[str(benchmark)] for benchmark in table["benchmark"]]
    return table


def gains() -> dict[str, dict[str, float]]:
    """Mean gain over the base VLM by method and domain, and over all ten columns as "all", in points."""
    found: dict[str, dict[str, float]] = {}
    for method, rows in scores().groupby("method", sort=False):
        by_domain = {str(domain): float(group["gain"].mean()) for domain, group in rows.groupby("domain")}
        found[str(method)] = {**by_domain, "all": float(rows["gain"].mean())}
    return found


def tuning_cost() -> Mapping[str, tuple[float, float]]:
    """Table 2: dollars and hours of the whole grid search, by benchmark."""
    table = _read("table2_tuning_cost")
    costs = zip(table["total_cost_usd"].astype(float), table["total_hours"].astype(float), strict=True)
    return dict(zip(table["benchmark"].astype(str), costs, strict=True))


def restriction_costs() -> pd.DataFrame:
    """Table 3: columns scenario, method (TA, DARE, TIES), restriction and relative_regret_percent."""
    return _read("table3_relative_regret_percent")


def merge_seconds() -> Mapping[str, float]:
    """Table 11: seconds per merge of a 7B pair on an A800 GPU, calibration included, by method."""
    table = _read("table11_merge_seconds")
    return dict(zip(table["method"], table["merge_seconds_a800"].astype(float), strict=True))


def loocv() -> dict[str, dict[str, float]]:
    """Table 12: leave-one-out RMSE of its surrogates in % of the metric's range, by dataset-pair and method."""
    return {
        str(dataset): dict(zip(rows["method"], rows["rmse_percent"].astype(float), strict=True))
        for dataset, rows in _read("table12_loocv_rmse_percent").groupby("dataset", sort=False)
    }


def _read(name: str) -> pd.DataFrame:
    with (files("hpo_bench.analyses.paper") / f"{name}.csv").open(encoding="utf-8") as file:
        # One of the methods is called NaN.
        return pd.read_csv(file, comment="#", keep_default_na=False)
