"""Merges of code models, 1.3B to 7B, tuned to write code and to summarise it (Zhu et al., 2026).

`mergekit/csv_output/<method>_experiment_results_m_<method>_<models>[_d0_3_0_7][_ties]_m_h.csv`: one row a merge, with
pass rates on HumanEval and MBPP and scores of summaries. Files with `d0_3_0_7` are grids of density by weight, both
tied between the two models; the others sweep one weight, the other being one less it. From each come three landscapes:
`generation`, the share of all 542 problems of HumanEval+ and MBPP+ that are solved; `summary`, the ROUGE-L of
summaries; `both`, the mean of the two, which is what a merge of the two models is for.

Nothing was published of single examples. A share of so many problems has a binomial standard error; that of the
summaries is not known.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from landscapes import tables
from landscapes.errors import InvalidGridError
from landscapes.importing.elsewhere.checkout import Publication, PublishedSweep, Report, missing
from landscapes.importing.sweep import Sweep
from landscapes.space import SearchSpace

NAME, REPOSITORY = "code-merges", "github.com/zmzfpc/Model_Merging_Data_Mixture"
FILE = re.compile(r"(?P<head>[a-z]+)_experiment_results_m_(?P<method>[a-z]+)_(?P<models>[a-z0-9]+?)"
                  r"(?P<grid>_d0_3_0_7)?(?P<ties>_ties)?_m_h\.csv")  # fmt: skip
MODELS = {
    "dsc13": ("deepseek-coder-1.3b", "deepseek-ai/deepseek-coder-1.3b-instruct"),
    "dsc7": ("deepseek-coder-7b", "deepseek-ai/deepseek-coder-7b-instruct-v1.5"),
    "qwc15": ("qwen2.5-coder-1.5b", "Qwen/Qwen2.5-Coder-1.5B-Instruct"),
    "qwc7": ("qwen2.5-coder-7b", "Qwen/Qwen2.5-Coder-7B-Instruct"),
}
"""Of the files' names: the pair, and the model that both were tuned from."""
METHODS = {"linear": "linear", "ties": "ties", "dare": "dare_linear", "della": "della", "dare-ties": "dare_ties"}
"""What mergekit calls them."""
PROBLEMS = {"humaneval_plus": 164, "mbpp_plus": 378}
SUMMARY = "agg_rouge"
TEXT = ("agg_bleu4", "agg_chrf", "agg_rouge", "agg_meteor")
SCORES = (*PROBLEMS, "humaneval_base", "mbpp_base", *TEXT)
SAME = 3e-4
"""Two runs of one model score the same up to this, the third digit of what was published."""
LACKING = 1
"""Of a grid's row: one that lacks more of the weights ends where the job was stopped."""
LEAST_LEVELS = 2
"""Of each hyperparameter, or there is nothing between them."""
HARDLY = 0.2
"""A hyperparameter hardly matters whose means differ by less than this share of what the other's differ by."""
OBJECTIVES = {
    "generation": ("problems of HumanEval+ and MBPP+ solved", "fraction solved"),
    "summary": ("ROUGE-L of summaries", "ROUGE-L"),
    "both": ("mean of problems solved and ROUGE-L of summaries", "mean of fraction solved and ROUGE-L"),
}
"""Metric and units."""
NOTES = (
    "Two tunes of one code model, to write code and to summarise it, merged with mergekit's {method}. Nothing was "
    "published of single examples, masks are of one seed, and the noise of summaries is not known."
)


@dataclass(frozen=True, eq=False)
class MergeJob:
    """One file: what a job recorded, in the order in which it did.

    Attributes:
        file: The file.
        models: Which models, a key of `MODELS`.
        method: A key of `METHODS`.
        is_grid: Whether it is of density by weight.
        rows: Its rows.
    """

    file: Path
    models: str
    method: str
    is_grid: bool
    rows: pd.DataFrame

    @property
    def axes(self) -> dict[str, str]:
        """Columns of the hyperparameters, and what they are called here."""
        return {"weight1": "weight", "density1": "density"} if self.is_grid else {"weight1": "generation_weight"}

    @property
    def label(self) -> str:
        """What its landscapes are called, but for the objective."""
        return f"{MODELS[self.models][0]}/{self.method}-{len(self.axes)}d"


def read(path: Path, report: Report) -> Iterator[PublishedSweep]:
    """The sweeps of a checkout.

    Raises:
        InvalidGridError: If the folder is no such checkout, or a file cannot be read; file and row are named.
    """
    folder = path / "mergekit" / "csv_output"
    jobs = [_job(file, found) for file in sorted(folder.glob("*.csv")) if (found := FILE.fullmatch(file.name))]
    if not jobs:
        raise missing(NAME, path, "mergekit/csv_output/..._m_h.csv", REPOSITORY)
    for job in _first_runs(list(_different(jobs, report)), report):
        # Objectives of one job have most of their defects in common.
        said: dict[str, None] = {}
        sweeps = [_sweep(job, objective, said.setdefault) for objective in OBJECTIVES]
        yield from (sweep for sweep in sweeps if sweep is not None)
        for sentence in said:
            report(sentence)


def _job(file: Path, found: re.Match[str]) -> MergeJob:
    method, models = found["head"] + ("-ties" if found["ties"] else ""), found["models"]
    if method not in METHODS or models not in MODELS:
        raise InvalidGridError(f"{file}: no method {method!r} of models {models!r} is known; update hpo-bench")
    frame = tables.read_table(file)
    needed = ["weight1", "weight2", *(["density1", "density2"] if found["grid"] else []), *SCORES]
    tables.require(frame, needed, file)
    for name in needed:
        cells = frame[name].replace("", np.nan)
        numbers = pd.to_numeric(cells, errors="coerce")
        frame[name] = tables.numbers(
            pd.DataFrame({name: numbers.where(numbers.notna(), cells)}), name, file, may_be_missing=name in SCORES
        )
    tied = "density1 == density2 and weight1 == weight2" if found["grid"] else "abs(weight1 + weight2 - 1) < 1e-9"
    if len(odd := frame.query(f"not ({tied})")):
        raise InvalidGridError(f"{file}, row {odd.index[0] + 1}: the models' weights are not tied as in the others")
    return MergeJob(file, models, method, bool(found["grid"]), frame)


def _different(jobs: list[MergeJob], report: Report) -> Iterator[MergeJob]:
    """Without files that hold nothing, or what another one holds."""
    for job in jobs:
        if _scores(job).isna().all(axis=None):
            report(f"{job.file.name}: has no scores; left out")
            continue
        if f"_m_{job.method.removesuffix('-ties')}_" in job.file.name:
            yield job
            continue
        others = [one for one in jobs if one is not job and one.models == job.models]
        same = [one.file.name for one in others if _scores(one).equals(_scores(job))]
        report(f"{job.file.name}: {f'is {same[0]} again' if same else 'is named after two methods'}; left out")


def _scores(job: MergeJob) -> pd.DataFrame:
    return job.rows[list(SCORES)]


def _first_runs(every: list[MergeJob], report: Report) -> Iterator[MergeJob]:
    """Without each job's first row, if first rows of some are the scores of another setting."""
    stale = [job.file.name for job in every if _is_another_s(job, every)]
    if not stale:
        yield from every
        return
    report(
        f"the first row of {len(stale)} of {len(every)} files has the scores of another setting, such as {stale[0]}: "
        "the first merge of a job was not the one that it says. Of the others that cannot be told, so that every first "
        "row is left out"
    )
    for job in every:
        yield MergeJob(job.file, job.models, job.method, job.is_grid, job.rows.iloc[1:])


def _is_another_s(job: MergeJob, every: list[MergeJob]) -> bool:
    first = job.rows.iloc[0]
    columns = list(SCORES)
    for other in every:
        if other.models != job.models:
            continue
        settings = [name for name in ("density1", "weight1", "density2", "weight2") if name in other.rows]
        for place, row in other.rows.iterrows():
            if other.file == job.file and place == 0:
                continue
            if {name: row[name] for name in settings} == {name: first.get(name) for name in settings}:
                continue
            if np.abs((row[columns] - first[columns]).to_numpy(np.float64)).max() <= SAME:
                return True
    return False


def _sweep(job: MergeJob, objective: str, report: Callable[[str], object]) -> PublishedSweep | None:
    """The sweep of one objective; None where too little of it was recorded."""
    rows = job.rows.rename(columns=job.axes)
    names = list(job.axes.values())
    solved = sum(rows[name] * count for name, count in PROBLEMS.items()) / sum(PROBLEMS.values())
    score = {"generation": solved, "summary": rows[SUMMARY], "both": (solved + rows[SUMMARY]) / 2}[objective]
    out = rows[names].assign(score=score)[score.notna()]
    name = f"{job.label}-{objective}"
    if len(out) < len(rows):
        what = "" if objective == "generation" else " of summaries"
        report(f"{job.label}: {len(rows) - len(out)} of {len(rows)} settings without scores{what}; left out")
    if job.is_grid:
        out = _whole_rows(out, job.label, report)
    if few := [axis for axis in names if out[axis].nunique() < LEAST_LEVELS]:
        report(f"{name}: scores are left at fewer than {LEAST_LEVELS} values of {few[0]}, which is no sweep; left out")
        return None
    if job.is_grid and objective == "both":
        _hardly(out, name, report)
    n = sum(PROBLEMS.values()) if objective == "generation" else 1
    error = np.sqrt(out["score"] * (1 - out["score"]) / n) if objective == "generation" else np.nan
    out = out.assign(
        split="validation", standard_error=error, n_examples=n, merge_seconds=np.nan, eval_seconds=np.nan
    ).reset_index(drop=True)
    box = SearchSpace.of({axis: (float(out[axis].min()), float(out[axis].max())) for axis in names})
    metric, units = OBJECTIVES[objective]
    about = {
        "benchmark": "HumanEval+, MBPP+ and code summaries",
        "base": MODELS[job.models][1],
        "metric": metric,
        "units": units,
        "split_rule": "none: all that was recorded is what was tuned on",
        "merge_options": {"mergekit_method": METHODS[job.method]},
        "notes": NOTES.format(method=METHODS[job.method]),
    }
    return PublishedSweep(name, Sweep(out, box, {}), about, job.file)


def _whole_rows(out: pd.DataFrame, name: str, report: Callable[[str], object]) -> pd.DataFrame:
    """Without densities at which the job was stopped: beyond what was recorded a surrogate would extrapolate."""
    weights = out["weight"].nunique()
    there = out.groupby("density")["weight"].transform("size")
    broken = there < weights - LACKING
    if broken.any():
        short = ", ".join(f"{density:g}" for density in sorted(out.loc[broken, "density"].unique()))
        report(f"{name}: density {short} was recorded at a part of the weights, where the job was stopped; left out")
    return out[~broken]


def _hardly(out: pd.DataFrame, name: str, report: Callable[[str], object]) -> None:
    # At the weights that every density has, or a corner that lacks would count as an effect of density.
    square = out.pivot(index="density", columns="weight", values="score").dropna(axis=1)
    moved = {"density": float(np.ptp(square.mean(axis=1))), "weight": float(np.ptp(square.mean(axis=0)))}
    if moved["density"] < HARDLY * moved["weight"]:
        report(
            f"{name}: density hardly matters: its means differ by {moved['density']:.3f}, those of weight by "
            f"{moved['weight']:.3f}"
        )


PUBLICATION = Publication(
    name=NAME,
    about="density by weight, and one weight, of DARE, TIES, DELLA and linear merges of code models, 1.3B to 7B",
    repository=REPOSITORY,
    commit="98b51ecac1fab623130477a7dd2831c94b56c367",
    date="2026-02-03",
    licence="Apache-2.0",
    citation=(
        "Zhu, Sobolev, Krishna, Pavuluri, Patterson and Merler (2026): Multi-task Code LLMs: Data Mix or Model Merge? "
        "arXiv:2601.21115."
    ),
    read=read,
)
