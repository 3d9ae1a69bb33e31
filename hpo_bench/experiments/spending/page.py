"""What every plan loses, as a page."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student

from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import UNDEFINED
from hpo_bench.experiments.page import save_page
from hpo_bench.experiments.spending.experience import OWN
from hpo_bench.experiments.spending.fit import cells, check, choice, fit
from hpo_bench.experiments.spending.measure import BUDGETS, MOST
from hpo_bench.experiments.spending.pools import DENSE, SHIPPED, SWEEPS
from hpo_bench.experiments.spending.whole import HIGHEST, MEAN
from hpo_bench.statistics.examples import Z95
from hpo_bench.statistics.intervals import TAILS

PAGE = "spending.md"
SPLIT = 160
"""A fifth of 800 examples, as the study splits."""


def write_page(
    rows: pd.DataFrame, honest: pd.DataFrame, ended: pd.DataFrame, begun: pd.DataFrame, folder: Path
) -> Path:
    """Write the page.

    Args:
        rows: As `Measurement.run` gives them.
        honest: As `Measurement.honest` gives them.
        ended: As `Measurement.stopped` gives them.
        begun: As `Measurement.begun` gives them.
        folder: Where it goes.
    """
    return save_page(folder / PAGE, [page(rows, honest, ended, begun)])


def page(rows: pd.DataFrame, honest: pd.DataFrame, ended: pd.DataFrame, begun: pd.DataFrame) -> str:
    """All tables, in Markdown."""
    parts = [HEAD, *_in_short(rows)]
    for source, title in TITLES.items():
        own = rows[rows["source"] == source]
        if own.empty:
            continue
        parts.append(f"## {title}\n")
        if source == SWEEPS:
            parts += [SWEPT, swept(own).to_markdown(), ""]
            continue
        for dim in sorted(own["dim"].unique()):
            here = own[own["dim"] == dim]
            name = DIMENSIONS[int(dim)]
            parts += [
                f"### {name}\n",
                "GP-BO, highest posterior mean, by examples (rows) and settings (columns):\n",
                losses(here).to_markdown(),
                "\nThe same money spent in other ways, by example evaluations in all:\n",
                rivals(here).to_markdown(),
                "\nHow much more they lose than the plan, paired over pairs (above 0, the plan is better):\n",
                behind(here).to_markdown(),
                "",
                reported(here).to_markdown(),
                "",
                model_words(here, dim=int(dim)),
            ]
    parts += [HONEST, honesty_table(honest).to_markdown(), "", STOPPING, stopping_table(ended).to_markdown(), ""]
    parts += [EXPERIENCE, experience_table(begun).to_markdown(), ""]
    return "\n".join(parts).rstrip() + "\n"


def honesty_table(rows: pd.DataFrame) -> TextTable:
    """How often intervals of honest scores hold the truth, what they promise too much, and what is lost."""
    held = rows.assign(holds=rows["miss"].abs() <= Z95 * rows["error"])
    found = []
    for (source, examples, way, settings), own in held.groupby(["source", "examples", "way", "settings"]):
        figures = (
            f"{100 * own['holds'].mean():.1f}%",
            f"{own['miss'].mean():+.2f} ± {own['miss'].std() / len(own) ** 0.5:.2f}",
            f"{own['error'].mean():.2f}",
            f"{own['loss'].mean():.2f}",
        )
        found.append(Row(str(source), (str(examples), str(settings), str(way), str(len(own)), *figures)))
    heads = ("on", "examples", "settings", "way", "replays", "interval holds", "score too high by", "its error", "loss")
    return TextTable(heads, tuple(found))


def _in_short(rows: pd.DataFrame) -> list[str]:
    """The plan against the study's protocol, once for each kind of landscapes."""
    lines = []
    for source in (DENSE, SHIPPED):
        for dim, name in DIMENSIONS.items():
            own = rows[(rows["source"] == source) & (rows["dim"] == dim)]
            if not own.empty and (words := beside_the_study(own, dim=dim)):
                lines.append(f"- {TITLES[source]}, {name.lower()}. {words}")
    return [*lines, ""]


def stopping_table(rows: pd.DataFrame) -> TextTable:
    """What a threshold saves and what it loses, over pairs."""
    found = []
    for (dim, examples, threshold), own in rows.groupby(["dim", "examples", "threshold"]):
        saved = own.assign(share=100 * own["settings"] / own["budget"], more=own["loss"] - own["later"])
        figures = (f"{_pooled(saved, 'share').mean():.0f}%", _points(_pooled(own, "later").mean()))
        found.append(Row(f"{dim}", (str(examples), f"{threshold:g}", *figures, _interval(_pooled(saved, "more")))))
    heads = ("hyperparameters", "examples", "gain below", "of the settings", "loss at the end", "more lost by stopping")
    return TextTable(heads, tuple(found))


def experience_table(rows: pd.DataFrame) -> TextTable:
    """Losses after so many settings, and how much more than GP-BO's own beginning, paired over pairs."""
    marks = sorted(rows["settings"].unique())
    held = {name: {mark: _pooled(own[own["settings"] == mark], "loss") for mark in marks}
            for name, own in rows.groupby("plan")}  # fmt: skip
    found = []
    for name, own in held.items():
        beside = [f"; {_interval(own[mark] - held[OWN][mark])}" if name != OWN else "" for mark in marks]
        cells = tuple(f"{own[mark].mean():.2f}{more}" for mark, more in zip(marks, beside, strict=True))
        found.append(Row(str(name), cells))
    return TextTable(("begins", *(f"{mark} settings" for mark in marks)), tuple(found))


def losses(rows: pd.DataFrame) -> TextTable:
    """Mean losses of GP-BO in points, by examples and settings."""
    table = _wide(_gp_bo(rows), "size", "settings")
    heads = ("examples", *map(str, table.columns))
    return TextTable(heads, tuple(Row(str(size), tuple(map(_points, line))) for size, line in _lines(table)))


def rivals(rows: pd.DataFrame) -> TextTable:
    """Loss at equal example evaluations, with 95% intervals over pairs."""
    found = [Row(name, _cells(within)) for name, within in _plans(rows)]
    return TextTable(("plan", *(f"{budget:,}" for budget in BUDGETS)), tuple(found))


def behind(rows: pd.DataFrame) -> TextTable:
    """How much more each rival loses than the plan at the same example evaluations, paired over pairs."""
    (_, ours), *others = _plans(rows)
    found = []
    for name, within in others:
        both = [(within.get(budget), ours[budget]) for budget in BUDGETS]
        cells = tuple(
            UNDEFINED if theirs is None else _interval((_pooled(theirs, "loss") - _pooled(own, "loss")).dropna())
            for theirs, own in both
        )
        found.append(Row(name, cells))
    return TextTable(("plan", *(f"{budget:,}" for budget in BUDGETS)), tuple(found))


def _plans(rows: pd.DataFrame) -> list[tuple[str, dict[int, pd.DataFrame]]]:
    """Every plan by its name, ours first: its recommendations within each budget."""
    found = [("**planned** (model fitted to other pairs)", planned(rows))]
    others = rows[rows["plan"] != "gp-bo"]
    for rule in (HIGHEST, MEAN):
        for size in (SPLIT, SPLIT // 4, SPLIT // 8):
            own = rows[(rows["plan"] == "gp-bo") & (rows["rule"] == rule) & (rows["size"] == size)]
            if not own.empty:
                found.append((f"gp-bo, {size} examples, {rule}", _by_budget(own)))
    for plan in others["plan"].unique():
        own = others[others["plan"] == plan]
        if own["settings"].nunique() == 1 or set(own["size"]) <= set(BUDGETS):
            sizes = [None] if set(own["size"]) <= set(BUDGETS) else sorted(own["size"].unique())[::-1]
        else:
            sizes = sorted(own["size"].unique())[::-1]
        for size in sizes:
            one = own if size is None else own[own["size"] == size]
            name, within = (plan, _by_size(one)) if size is None else (f"{plan}, {int(size)} examples", _by_budget(one))
            if not within:
                name, within = f"{name}, {one['evaluations'].max():,} evaluations", {BUDGETS[-1]: one}
            found.append((name, within))
    return found


def planned(rows: pd.DataFrame, budgets: Sequence[int] = BUDGETS) -> dict[int, pd.DataFrame]:
    """GP-BO's rows with the settings and examples that the model chooses for a budget, fitted to the other pairs."""
    table, own = cells(rows), _gp_bo(rows)
    found: dict[int, list[pd.DataFrame]] = {budget: [] for budget in budgets}
    for pair in table["pair"].unique():
        model = fit(table[table["pair"] != pair]) if table["pair"].nunique() > 1 else fit(table)
        for budget in budgets:
            settings, size = choice(model, table, budget)
            found[budget].append(own[(own["pair"] == pair) & (own["settings"] == settings) & (own["size"] == size)])
    return {budget: pd.concat(parts) for budget, parts in found.items()}


def beside_the_study(rows: pd.DataFrame, *, dim: int) -> str:
    """The plan against the study's protocol, paired over pairs: at its cost, and at a fifth of it."""
    cost = MOST[dim] * SPLIT
    own = rows[(rows["plan"] == "gp-bo") & (rows["rule"] == HIGHEST) & (rows["size"] == SPLIT)]
    study = _pooled(own[own["settings"] == MOST[dim]], "loss")
    if study.empty:
        return ""
    equal, fifth = (_pooled(one, "loss") for one in planned(rows, (cost, cost // 5)).values())
    return (
        f"The study's protocol, {MOST[dim]} settings on {SPLIT} examples and the highest score, costs {cost:,} "
        f"evaluations and loses {_interval(study)}; the plan at that cost {_interval(equal)}, a difference of "
        f"{_interval(equal - study)}; and at a fifth of it {_interval(fifth)}, {_interval(fifth - study)}."
    )


def reported(rows: pd.DataFrame) -> TextTable:
    """What the score on the examples that were tuned on promises too much, and how often the VLM as it is is beaten."""
    own = _gp_bo(rows)
    own = own[own["settings"].isin([8, 16, 40])]
    kept = [
        Row(
            f"{size} examples",
            tuple(
                f"{_pooled(one, 'optimism').mean():+.1f}, {100 * (one['gain'] > 0).mean():.0f}%"
                for _, one in part.groupby("settings")
            ),
        )
        for size, part in own.groupby("size")
    ]
    heads = ("reported score too high by, better than the VLM in", "8 settings", "16", "40")
    return TextTable(heads, tuple(kept))


def model_words(rows: pd.DataFrame, *, dim: int) -> str:
    """The fitted model and how it does on what it was not fitted to."""
    table = cells(rows)
    model = fit(table)
    words = [
        f"Model in {dim}-D: expected loss = {model.search:.2f} exp((8 - settings) / {model.pace:.1f}) "
        f"+ {model.luck:.2f} (examples / 400)^-1/2 points."
    ]
    for by in ("pair", "domain"):
        if table[by].nunique() < 2:
            continue
        found = check(table, by=by, budgets=BUDGETS)
        words.append(
            f"Fitted without each {by} in turn, it misses mean losses by {100 * found.error:.0f}%, and what it chooses "
            "loses "
            + ", ".join(f"{found.chosen[b]:.2f} ({found.hindsight[b]:.2f})" for b in BUDGETS)
            + f" points at {', '.join(f'{b:,}' for b in BUDGETS)} evaluations (in brackets the best in hindsight)."
        )
    return " ".join(words) + "\n"


def swept(rows: pd.DataFrame) -> TextTable:
    """Loss of the highest of all settings by task and examples."""
    table = _wide(rows, "pool", "size")
    heads = ("task", *map(str, table.columns))
    return TextTable(heads, tuple(Row(str(name), tuple(map(_points, line))) for name, line in _lines(table)))


def _gp_bo(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows["plan"] == "gp-bo") & (rows["rule"] == MEAN)]


def _lines(table: pd.DataFrame) -> list[tuple[object, np.ndarray]]:
    return list(zip(table.index, table.to_numpy(float), strict=True))


def _wide(rows: pd.DataFrame, down: str, across: str) -> pd.DataFrame:
    """Losses as a table: means over draws, then pools, then pairs."""
    keys = list(dict.fromkeys((down, across, "pair", "pool")))
    by_pool = rows.groupby(keys)["loss"].mean().reset_index()
    by_pair = by_pool.groupby(list(dict.fromkeys((down, across, "pair"))))["loss"].mean().reset_index()
    return by_pair.pivot_table(index=down, columns=across, values="loss", aggfunc="mean")


def _pooled(rows: pd.DataFrame, value: str) -> pd.Series:
    """A value's mean by pair."""
    return rows.groupby(["pair", "pool"])[value].mean().groupby("pair").mean()


def _by_budget(rows: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The last recommendation within each budget, where it spends more than half of it."""
    found = {}
    for budget in BUDGETS:
        own = rows[(rows["evaluations"] <= budget) & (rows["evaluations"] > budget / 2)]
        if not own.empty:
            found[budget] = own[own["settings"] == own.groupby(["pool", "draw"])["settings"].transform("max")]
    return found


def _by_size(rows: pd.DataFrame) -> dict[int, pd.DataFrame]:
    return {budget: rows[rows["size"] == budget] for budget in BUDGETS if (rows["size"] == budget).any()}


def _cells(found: dict[int, pd.DataFrame]) -> tuple[str, ...]:
    return tuple(_interval(_pooled(found[budget], "loss")) if budget in found else UNDEFINED for budget in BUDGETS)


def _interval(values: pd.Series) -> str:
    """A mean over pairs with Student's 95% interval."""
    mean = values.mean()
    if len(values) < 2:
        return _points(mean)
    reach = student.ppf(TAILS[1], len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{mean:.2f} [{mean - reach:.2f}, {mean + reach:.2f}]"


def _points(value: float) -> str:
    return UNDEFINED if np.isnan(value) else f"{value:.2f}"


HONEST = """\
## An honest score

Every example may be tuned on: for each of five folds the recommendation is made anew from the answers to the others and
scored on this one (`hpo_bench.statistics.cross_fitting`). Beside it the study's way: tuned on a fifth of the same
examples, scored on the others. The settings that were tried are the same for all folds, so that a little of the
search's own luck stays in. On recorded answers the truth is what unseen examples say, whose own error is in the error.
"""
DIMENSIONS = {2: "Two hyperparameters", 3: "Three hyperparameters"}
STOPPING = """\
## Stopping

`tune --until` ends where the rest of the budget is expected to gain less on unseen examples. Errors of scores are as a
two-way model has them: what an example adds to all settings alike is none, and what is left of its answers gives their
covariance. Further settings are where draws of the surface have their maxima, and the gain is how much higher the
highest posterior mean is expected to be once they are scored. The way was settled in simulated worlds (16 of them, 400
examples, 16 settings): ended at 0.1 it spends 99% there, at 0.4 69%, and loses nothing by it (-0.03 ± 0.08 points); one
that looks a single setting ahead ends too early (at 0.2 it spends half, and loses 0.5 more). Here it is on recorded
answers, on which nothing was chosen:
"""
EXPERIENCE = """\
## First points from experience

Four settings of which the best loses least on the fine grids of the other pairs, or of the other domains, chosen one
after the other, in place of GP-BO's own first four; 800 examples, two draws a grid. Loss, and after the semicolon how
much more that is than with GP-BO's own, paired over pairs; Random begun at the same points is the control.

They halve the loss of four or five settings. From eight on, which is where plans are, nothing is shown to be gained, so
that `tune` does not begin so. In three hyperparameters it was not measured.
"""
TITLES = {DENSE: "Fine grids", SHIPPED: "Landscapes that ship", SWEEPS: "Sweeps of larger models"}
SWEPT = """\
Eleven interpolations of an 8B audio-language model with its base language model (`--sweep`; made from the answers in
github.com/gladia-research-group/model-merging-NatureLM-audio at 202db6b, MIT). Every setting is scored on so many
examples and the highest score picked; loss by task and prompt, 40 draws:
"""
HEAD = """\
# Few settings on many examples, or many on few

Made by `hpo-bench spending`. What tuning loses is measured on real answers of nano pairs: of each landscape every
recorded setting answered the same 3,200 test examples. A replay draws half of them to tune on and keeps the other half
unseen; a plan scores settings on the first so many of its half, and recommends one. *Loss* is how many points of
accuracy that one scores below the best setting on the unseen examples; the best is the one with the highest score over
all examples, which is lucky by about .1 points itself. *Evaluations* are settings times examples. Intervals are 95%,
over pairs.

Proposals are rounded to the nearest recorded setting. Every optimiser is told what `tune` tells it. Successive halving
(27 settings, the best 9, the best 3), Hyperband (eta 3), F-race (25 settings, a test at .05 every ten examples), UCB-E
(25 settings, without the low-rank factorisation) and HbBoPs (eta 2; two draws) pay only for examples that a setting had
not answered before. BoTorch's multi-fidelity knowledge gradient, Optuna's Terminator and UCB-E's low-rank factorisation
were not run.

Time and money are evaluations here: on a nano pair, by the processor's clock, a merge takes 0.002 (Task Arithmetic) to
0.009 seconds (DARE), an example 0.0004, and loading the models 0.8 ([measured](../live/trial.md)). So both 40 settings
on 160 examples and 8 on 800 take 3.4 seconds, 2.6 of which are answers. Where a merge costs more, fewer settings save
more; `hpo-bench plan` times yours, and says hours and dollars.
"""
