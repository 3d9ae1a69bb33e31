"""SYNTHETIC checkouts in the layout of the repositories that `landscapes import` reads; their numbers are made up."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

BIRDS = {"Common Loon": "Gavia immer", "Golden Eagle": "Aquila chrysaetos"}
HEAD = "0" * 40


def naturelm(root: Path, *, n: int = 40, answer: Callable[[int, str, float], str] | None = None) -> Path:
    """Three queries of cbi, one task whose options change places, and one that is no sweep; five weights, n examples.

    By default example i is answered rightly where i % 10 < 2 + 28 w (1 - w), at weight w, with what was asked for.
    """
    (root / ".git").mkdir(parents=True)
    (root / ".git" / "HEAD").write_text(f"{HEAD}\n")
    names = "".join(json.dumps({"label": a, "scientific_name": b}) + "\n" for a, b in BIRDS.items())
    (root / "cbi_vernacular_scientific_mapping.jsonl").write_text(names)
    tasks = [("cbi", "cbi", query) for query in range(3)]
    tasks += [("closed_set_classification_2", "unseen-family-cmn", 0), ("zf-indiv", "zf-indiv", 0)]
    for task, dataset, query in tasks:
        for percent in (0, 25, 50, 75, 100) if task != "zf-indiv" else (100,):
            weight, lines = percent / 100, []
            for i in range(n):
                label = list(BIRDS)[i % 2]
                asked = {0: label, 1: BIRDS[label], 2: f"{BIRDS[label]}: {label}"}[query]
                right = i % 10 < 2 + 28 * weight * (1 - weight)
                said = f"It is a {asked.upper()}." if right else "It is a Moose."
                prompt = f"Which? {percent if task.startswith('closed') else ''}"
                lines.append(
                    {
                        "prediction": said if answer is None else answer(query, label, weight),
                        "label": label,
                        "id": f"e{i}",
                        "dataset_name": dataset,
                        "prompt": prompt,
                        "lora_scale": weight,
                    }
                )
            file = root / "results" / task / f"beans_zero_eval_{dataset}_query{query}_lora{percent:03d}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


SCORES = ["humaneval_base", "humaneval_plus", "mbpp_base", "mbpp_plus"]
TEXT = [f"{kind}_{what}" for kind in ("agg", "norm", "ne") for what in ("bleu4", "chrf", "rouge", "meteor")]


def code_merges(root: Path) -> Path:
    """A grid that stopped early, sweeps of one weight of which one is there twice, and one without scores."""
    folder = root / "mergekit" / "csv_output"
    folder.mkdir(parents=True)
    weights = [0.1, 0.2, 0.3, 0.4, 0.5]
    grid = [(d, w, d, w) for d in (0.2, 0.3, 0.4) for w in weights][:12]
    line = [(0.5, w, 0.5, round(1 - w, 1)) for w in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)]
    write = {
        "dare_experiment_results_m_dare_dsc13_d0_3_0_7_m_h.csv": (grid, _scored),
        "dare_experiment_results_m_dare_dsc13_d0_3_0_7_ties_m_h.csv": (grid, lambda _: [""] * 16),
        "dare_experiment_results_m_dare_dsc13_m_h.csv": (line, _scored),
        "dare_experiment_results_m_della_qwc7_m_h.csv": (line, _scored),
        "della_experiment_results_m_della_qwc7_m_h.csv": (line, _scored),
    }
    for name, (settings, scored) in write.items():
        rows = [[name, "X", i + 1, *one, *scored(one)] for i, one in enumerate(settings)]
        if scored is _scored:
            # The first merge of a job is that of another setting; the last one of the grid lacks its summaries.
            rows[0][7:] = _scored((0.5, 0.5, 0.5, 0.5))
            if settings is grid:
                rows[9][11:] = [""] * 12
        head = ["input_file", "method", "experiment", "density1", "weight1", "density2", "weight2", *SCORES, *TEXT]
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows([head, *rows])
    return root


def _scored(setting: tuple[float, float, float, float]) -> list[float]:
    density, weight, _, other = setting
    solved = 0.5 + 0.3 * weight - 0.05 * other + 0.001 * density
    text = 0.3 - (weight - 0.3) ** 2 + 0.001 * density
    return [*np.round([solved + 0.05, solved, solved + 0.04, solved], 3), *np.round([text] * 12, 4)]
