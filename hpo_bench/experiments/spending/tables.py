"""Tables of what every plan loses, of what is reported, and of rivals beside the plan."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy.stats import binom

from hpo_bench.display.table import TextTable
from hpo_bench.display.words import UNDEFINED, bracketed, figure
from hpo_bench.experiments.spending.experience import OWN
from hpo_bench.experiments.spending.fit import cells, check, choice, fit, miss
from hpo_bench.experiments.spending.honesty import CROSS_FITTED
from hpo_bench.experiments.spending.real import PLAN, STUDY, STUDY_MEAN
from hpo_bench.experiments.spending.replays import BUDGETS, SPLIT
from hpo_bench.experiments.spending.whole import HIGHEST, MEAN
from hpo_bench.statistics.examples import Z95
from hpo_bench.statistics.intervals import of_mean
from hpo_bench.tuning.planning.spending import LossModel, model_of


def honesty_table(rows: pd.DataFrame) -> TextTable:
    """How often intervals of honest scores hold the truth, what they promise too much, and what is lost."""
    held = rows.assign(holds=rows["miss"].abs() <= Z95 * rows["error"])
    found = []
    for (source, examples, way, settings), own in held.groupby(["source", "examples", "way", "settings"]):
        figures = (
            f"{100 * own['holds'].mean():.1f}%",
            f"{own['miss'].mean():+z.2f} ± {own['miss'].std() / len(own) ** 0.5:.2f}",
            points(own["error"].mean()),
            points(own["loss"].mean()),
        )
        found.append((str(source), str(examples), str(settings), str(way), str(len(own)), *figures))
    heads = ("on", "examples", "settings", "way", "replays", "interval holds", "score too high by", "its error", "loss")
    return TextTable.of(heads, found)


def stopping_table(rows: pd.DataFrame) -> TextTable:
    """What a threshold saves and what it loses, over pairs."""
    found = []
    for (dim, examples, threshold), own in rows.groupby(["dim", "examples", "threshold"]):
        saved = own.assign(share=100 * own["settings"] / own["budget"], more=own["loss"] - own["later"])
        figures = (f"{by_pair(saved, 'share').mean():.0f}%", points(by_pair(own, "later").mean()))
        found.append((f"{dim}", str(examples), f"{threshold:g}", *figures, over_pairs(by_pair(saved, "more"))))
    heads = ("hyperparameters", "examples", "gain below", "of the settings", "loss at the end", "more lost by stopping")
    return TextTable.of(heads, found)


def experience_table(rows: pd.DataFrame) -> TextTable:
    """Losses after so many settings, and how much more than GP-BO's own beginning, paired over pairs."""
    marks = sorted(rows["settings"].unique())
    found = []
    for dim, here in rows.groupby("dim"):
        held = {name: {mark: by_pair(own[own["settings"] == mark]) for mark in marks}
                for name, own in here.groupby("plan")}  # fmt: skip
        for name, own in held.items():
            beside = [f"; {over_pairs(own[mark] - held[OWN][mark])}" if name != OWN else "" for mark in marks]
            cells = (f"{points(own[mark].mean())}{more}" for mark, more in zip(marks, beside, strict=True))
            found.append((f"{dim}-D, {name}", *cells))
    return TextTable.of(("begins", *(f"{mark} settings" for mark in marks)), found)


def coverage_words(rows: pd.DataFrame) -> str:
    """Whether cells of the table differ from 95% by more than chance, for cross-fitted scores on recorded answers."""
    own = rows[(rows["source"] == "recorded answers") & (rows["way"] == CROSS_FITTED)]
    if own.empty:
        return ""
    held = (own["miss"].abs() <= Z95 * own["error"]).groupby([own["examples"], own["settings"]])
    cells, least = len(held), int(held.sum().min())
    each = int(held.size().min())
    chance = 1 - (1 - float(binom.cdf(least, each, 0.95))) ** cells
    spread = float(np.sqrt(np.square(own["miss"] / own["error"]).mean()))
    share = f"{100 * held.sum().sum() / len(own):.1f}%"
    return (
        f"Of all {len(own)} intervals of cross-fitted scores on recorded answers {share} hold, and misses are "
        f"{spread:.2f} of their errors (root mean square; 1 is right). The lowest of {cells} cells, {least} of {each}, "
        f"is what {100 * chance:.0f}% of such tables would have, or lower, if every interval held with 95%."
    )


def real_table(rows: pd.DataFrame) -> TextTable:
    """What each way's recommendation scores on examples put aside, and how much more than the plan's, by pair."""
    found = []
    for (pair, method, way), own in rows.groupby(["pair", "method", "way"]):
        error = float(np.sqrt(np.square(own["more_error"]).sum())) / len(own)
        more = "" if way == PLAN else f"{own['more'].mean():+z.2f} ± {error:.2f}"
        scores = (f"{100 * own['score'].mean():.1f}", f"{100 * (own['score'] - own['base']).mean():+z.1f}", more)
        spent = (f"{own['settings'].mean():.0f}", f"{own['evaluations'].mean():,.0f}", str(len(own)))
        found.append((str(pair), str(method), str(way), *spent, *scores))
    heads = ("pair", "method", "way", "settings", "evaluations", "draws", "score", "over the VLM", "more than the plan")
    return TextTable.of(heads, found)


def real_words(rows: pd.DataFrame) -> str:
    """The study's protocol against the plan over pairs and methods."""
    said = []
    for way in (STUDY, STUDY_MEAN):
        own = rows[rows["way"] == way]
        more = own.groupby(["pair", "method"])["more"].mean().groupby("pair").mean()
        error = float(np.sqrt(np.square(own["more_error"]).sum())) / max(len(own), 1)
        said.append(f"{way}, {more.mean():+z.2f} ± {error:.2f} points over {len(more)} pairs")
    return f"What it recommends scores more than what the plan does by: {'; '.join(said)}."


def losses(rows: pd.DataFrame) -> TextTable:
    """Mean losses of GP-BO in points, by examples and settings."""
    table = _wide(_gp_bo(rows), "size", "settings")
    return _shown(table, "examples")


def rivals(rows: pd.DataFrame) -> TextTable:
    """Loss at equal example evaluations, with 95% intervals over pairs."""
    return _by_budgets(
        (
            name,
            *(over_pairs(by_pair(within[budget])) if budget in within else UNDEFINED for budget in BUDGETS),
        )
        for name, within in _plans(rows)
    )


def behind(rows: pd.DataFrame) -> TextTable:
    """How much more each rival loses than the plan at the same example evaluations, paired over pairs."""
    (_, ours), *others = _plans(rows)
    found = []
    for name, within in others:
        both = [(within.get(budget), ours[budget]) for budget in BUDGETS]
        cells = (UNDEFINED if theirs is None else over_pairs(by_pair(theirs) - by_pair(own)) for theirs, own in both)
        found.append((name, *cells))
    return _by_budgets(found)


def standing(rows: pd.DataFrame, budget: int) -> str:
    """Which rivals are shown to lose more than the plan at a budget, or less, and which are not shown either way."""
    (_, ours), *others = _plans(rows)
    more, less, neither = [], [], []
    for name, within in others:
        if budget in within and ours.get(budget) is not None:
            found = of_mean((by_pair(within[budget]) - by_pair(ours[budget])).dropna())
            (more if found.low > 0 else less if found.high < 0 else neither).append(name)
    heads = ("these are shown to lose more than the plan", "To lose less", "Not shown to differ")
    said = [f"{head}: {'; '.join(names) or 'none'}." for head, names in zip(heads, (more, less, neither), strict=True)]
    return f"At {budget:,} evaluations {' '.join(said)}"


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


def reported(rows: pd.DataFrame) -> TextTable:
    """What the score on the examples that were tuned on promises too much, and how often the VLM as it is is beaten."""
    own = _gp_bo(rows)
    own = own[own["settings"].isin([8, 16, 40])]
    kept = [
        (
            f"{size} examples",
            *(
                f"{by_pair(one, 'optimism').mean():+z.1f}, {100 * (one['gain'] > 0).mean():.0f}%"
                for _, one in part.groupby("settings")
            ),
        )
        for size, part in own.groupby("size")
    ]
    return TextTable.of(("reported score too high by, better than the VLM in", "8 settings", "16", "40"), kept)


def model_words(rows: pd.DataFrame, *, dim: int) -> str:
    """The fitted model and how it does on what it was not fitted to."""
    table = cells(rows)
    model = fit(table)
    words = [f"Model in {dim}-D: expected loss = {_formula(model)} points."]
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
    used = model_of(dim)
    words.append(
        f"`tune` plans by {_formula(used)}, fitted earlier, which misses these by {100 * miss(used, table):.0f}%."
    )
    return " ".join(words)


def _formula(model: LossModel) -> str:
    return f"{model.search:.2f} exp((8 - settings) / {model.pace:.1f}) + {model.luck:.2f} (examples / 400)^-1/2"


def swept(rows: pd.DataFrame) -> TextTable:
    """Loss of the highest of all settings by task and examples."""
    table = _wide(rows, "pool", "size")
    return _shown(table, "task")


def _gp_bo(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows["plan"] == "gp-bo") & (rows["rule"] == MEAN)]


def _shown(table: pd.DataFrame, head: str) -> TextTable:
    """A table of points as text."""
    lines = ((str(name), *map(points, line)) for name, line in zip(table.index, table.to_numpy(float), strict=True))
    return TextTable.of((head, *map(str, table.columns)), lines)


def _by_budgets(lines: Iterable[Sequence[str]]) -> TextTable:
    return TextTable.of(("plan", *(f"{budget:,}" for budget in BUDGETS)), lines)


def _wide(rows: pd.DataFrame, down: str, across: str) -> pd.DataFrame:
    """Losses as a table: means over draws, then pools, then pairs."""
    keys = list(dict.fromkeys((down, across, "pair", "pool")))
    by_pool = rows.groupby(keys)["loss"].mean().reset_index()
    means = by_pool.groupby(list(dict.fromkeys((down, across, "pair"))))["loss"].mean().reset_index()
    return means.pivot_table(index=down, columns=across, values="loss", aggfunc="mean")


def by_pair(rows: pd.DataFrame, value: str = "loss") -> pd.Series:
    """A value's mean by pair, whose pools count equally."""
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


def over_pairs(values: pd.Series) -> str:
    """A mean over pairs with Student's 95% interval."""
    return bracketed(of_mean(values.dropna()), POINTS)


POINTS = "z.2f"
"""Two decimals; what rounds to nothing has no sign."""


def points(value: float) -> str:
    """Points as `POINTS`."""
    return figure(value, POINTS)
