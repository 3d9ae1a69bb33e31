"""The comparison for machines."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from hpo_bench.experiments.methods.findings import claims, consistency
from hpo_bench.experiments.methods.lineup import BASE, EVERYBODY, VARIANTS
from hpo_bench.experiments.methods.measured import PairResult
from hpo_bench.experiments.methods.page import SEED
from hpo_bench.experiments.methods.sample import Sample, score_table


def as_dict(results: Sequence[PairResult]) -> dict[str, Any]:
    """Everything that the tables show, in plain values; scores and gains as fractions, test examples only."""
    found = {}
    for only, title in ((False, "whole_benchmark"), (True, "skill_alone")):
        sample = Sample(results, rng=np.random.default_rng(SEED), skill_only=only)
        found[title] = {
            "scores": {result.pair: _scores(result, skill_only=only) for result in results},
            "findings": [_finite(asdict(claim)) for claim in claims(sample)],
            "counts": {what: list(count) for what, count in consistency(sample).items()},
        }
    costs = {
        result.pair: {
            name: {
                "parameters": dict(one.parameters),
                "merge_seconds": dict(one.seconds),
                "statistics_seconds": one.statistics_seconds,
                "eval_seconds": one.eval_seconds,
                "grid": asdict(one.grid) if one.grid else None,
                "note": one.note,
            }
            for name, one in result.measured.items()
        }
        for result in results
    }
    return {"pairs": {result.pair: result.domain for result in results}, **found, "costs": costs}


def source(results: Sequence[PairResult]) -> str:
    """What the numbers come from, in a line."""
    kinds = {
        "nano pair": ([one for one in results if one.nano], " (about a million parameters, trained from scratch)"),
        "pair": ([one for one in results if not one.nano], ""),
    }
    parts = [
        f"{len(members)} {kind}{'s' * (len(members) > 1)}{what}: "
        + ", ".join(f"{one.pair} ({one.benchmark})" for one in members)
        for kind, (members, what) in kinds.items()
        if members
    ]
    return f"Real merges of {'; '.join(parts)}."


def _scores(result: PairResult, *, skill_only: bool) -> dict[str, dict[str, float]]:
    names = [one.name for one in (*EVERYBODY, *VARIANTS) if one.name in result.measured]
    table = score_table(result, names, skill_only=skill_only)
    gains = table - table[names.index(BASE.name)]
    root = np.sqrt(table.shape[1])
    return {
        name: {
            "score": float(row.mean()),
            "standard_error": float(row.std(ddof=1) / root),
            "gain": float(gain.mean()),
            "gain_standard_error": float(gain.std(ddof=1) / root),
        }
        for name, row, gain in zip(names, table, gains, strict=True)
    }


def _finite(value: Any) -> Any:
    """JSON knows no NaN."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and np.isnan(value) else value
