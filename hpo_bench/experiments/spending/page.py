"""What every plan loses, as a page."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hpo_bench.experiments.page import Part, save_page
from hpo_bench.experiments.spending.claims import claims_table, in_short, overhead_table, pairs_table, parts_table
from hpo_bench.experiments.spending.pools import DENSE, KEPT, SHIPPED, SWEEPS
from hpo_bench.experiments.spending.tables import (
    behind,
    coverage_words,
    experience_table,
    honesty_table,
    losses,
    model_words,
    real_table,
    real_words,
    reported,
    rivals,
    standing,
    stopping_table,
    swept,
)

PAGE = "spending.md"
COMPARED = 6400
"""Evaluations, which the study's protocol takes, at which words say how rivals stand."""


@dataclass(frozen=True, eq=False)
class SpendingRows:
    """What the page is made of.

    Attributes:
        plans: As `Measurement.run` gives them.
        compared: As `Measurement.planned` and `Measurement.untouched` give them, together.
        honest: As `Measurement.honest` gives them.
        ended: As `Measurement.stopped` gives them.
        begun: As `Measurement.begun` gives them.
        tuned: As `Measurement.really` gives them.
        timed: As `Measurement.timed` gives them.
    """

    plans: pd.DataFrame
    compared: pd.DataFrame
    honest: pd.DataFrame
    ended: pd.DataFrame
    begun: pd.DataFrame
    tuned: pd.DataFrame
    timed: pd.DataFrame


def write_page(measured: SpendingRows, *, folder: Path) -> Path:
    """Write the page.

    Args:
        measured: What it is made of.
        folder: Where it goes.
    """
    rows = measured.plans
    claims = claims_table(measured.compared, measured.honest, measured.ended, measured.tuned, measured.timed)
    parts: list[Part] = [HEAD, CLAIMS, claims, "\n".join(in_short(measured.compared))]
    parts += [PARTS, parts_table(measured.compared), KEPT_BACK, pairs_table(measured.compared, KEPT)]
    for source, title in TITLES.items():
        own = rows[rows["source"] == source]
        if own.empty:
            continue
        parts.append(f"## {title}")
        if source == SWEEPS:
            parts += [SWEPT, swept(own)]
            continue
        for dim in sorted(own["dim"].unique()):
            here = own[own["dim"] == dim]
            parts += [
                f"### {DIMENSIONS[int(dim)]}",
                "GP-BO, highest posterior mean, by examples (rows) and settings (columns):",
                losses(here),
                "The same money spent in other ways, by example evaluations in all:",
                rivals(here),
                "How much more they lose than the plan, paired over pairs (above 0, the plan is better):",
                behind(here),
                standing(here, COMPARED),
                reported(here),
                model_words(here, dim=int(dim)),
            ]
    if len(measured.tuned):
        parts += [REAL, real_words(measured.tuned), real_table(measured.tuned)]
    parts += [HONEST, honesty_table(measured.honest), coverage_words(measured.honest)]
    parts += [STOPPING, stopping_table(measured.ended), OVERHEAD, overhead_table(measured.timed)]
    parts += [EXPERIENCE, experience_table(measured.begun)]
    return save_page(folder / PAGE, parts)


CLAIMS = """\
## What was promised, and what holds

A verdict is *holds* where the whole interval is on the side of the claim, *does not hold* where it is on the other,
and *open* where it is on both: shown neither way. Killed studies are
`tests/hpo_bench/tuning/planning/test_study_plan.py` and `tests/hpo_bench/tuning/test_stopping.py`. On fine grids and
in the study's box the plan for a pair is by a model that was fitted to the others; where nothing was chosen it is
`tune`'s own, whose model was fitted to an earlier run of these replays. That model was not fitted anew, though this
run's are others: the lines below have both, and its plans lose no more.
"""
PARTS = """\
By domain and method; where the difference is below 0, the plan loses less. Two or three pairs make wide intervals:
"""
KEPT_BACK = """\
## Landscapes kept back

On these nothing was chosen: the model behind `tune`'s plan, its defaults and the settings of all rivals were settled
before they were recorded, or before they were looked at here. They ship, as `ja-llama/ta-wide` for one, and span 0 to
1.4 in both weights of Task Arithmetic by 8 x 8 settings, nano pairs with 200 held-out ones between them. The weights of
these nano pairs are newly trained, by the recipes of the pairs that the model was fitted to, so that it has seen their
like; the two pairs on a really pretrained language model (2,000 test examples each) are like nothing that it saw. The
plan is `tune`'s own, and not fitted anew without a pair.
"""
OVERHEAD = """\
## What a proposal takes

Milliseconds of one thread of a processor, by its own clock, in the plans that `tune` makes: asking GP-BO for a setting
and telling it the result, and with `--until` looking ahead as well. Of three repetitions of each step the least counts:
the machine had other work beside it.
"""
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

Four settings of which the best loses least on the landscapes of the other pairs, or of the other domains, chosen one
after the other, in place of GP-BO's own first four; 800 examples; in two dimensions the fine grids, two draws each, in
three DARE and TIES in the recorded box, one draw. Loss, and after the semicolon how much more that is than with GP-BO's
own, paired over pairs; Random begun at the same points is the control. `--start experience` begins so, with every
optimiser.

They halve the loss of four or five settings in two dimensions, and take two thirds off it in three; where plans usually
are, at 8 settings in two dimensions and 16 in three, nothing is shown to be gained. So `tune` begins so where it plans
six settings or fewer, and not else. Random from the same points is as good there: it is the points that help.
"""
REAL = """\
## In the real loop

Pairs are tuned anew (`--real-loop`): of the 4,000 examples of each 800 are drawn, `tune` plans settings and examples
for what the study's protocol costs, and that protocol itself is `tune --hold-out`: 40 settings (60 for TIES), each on a
fifth of the 800. What both recommend is scored on the 3,200 examples put aside, the same for both, in points; after ±
stands a standard error, paired over examples, which knows nothing of other pairs and searches: an interval over
pairs is among the claims above. Draws and seeds were fixed before.
"""
TITLES = {DENSE: "Fine grids", SHIPPED: "Landscapes in the study's box", SWEEPS: "Sweeps of larger models"}
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

Proposals are rounded to the nearest recorded setting. Every optimiser is told what `tune` tells it. Rivals, at their
published settings: successive halving (27 settings, the best 9, the best 3), Hyperband (eta 3), F-race (25 settings, a
test at .05 every ten examples), UCB-E (25 settings, exploration 1, batches of 32) and HbBoPs (eta 2, from ten examples
on; two draws; [Schneider et al., 2025](https://proceedings.mlr.press/v267/schneider25b.html)) pay only for examples
that a setting had not answered before. UCB-E with low-rank factorisation (rank 1, 64 factorisations, ten rounds,
exploration 5, batches of 32, a twentieth of the table first, but no more than a quarter of the budget) and UCB-E are as
in [its authors' package](https://github.com/kilian-group/banditeval) (Zhou et al., 2025). Optuna's Terminator (its
defaults, on TPE, 160 examples a trial; it may end before the budget) was run on one draw, as the low-rank one was.
BoTorch's multi-fidelity knowledge gradient is that of [its tutorial](https://botorch.org/docs/tutorials/multi_fidelity_bo)
(four proposals at a time, 128 fantasies, 10 restarts of 512 raw samples); a fidelity is a share of the examples, from
an eighth on, and costs as many. As four proposals take it half a minute, it was run on one draw of three pairs,
one of each domain, so that its interval is wide.

Time and money are evaluations here: on a nano pair, by the processor's clock, a merge takes 0.002 (Task Arithmetic) to
0.009 seconds (DARE), an example 0.0004, and loading the models 0.8 ([measured](../live/trial.md)). So both 40 settings
on 160 examples and 8 on 800 take 3.4 seconds, 2.6 of which are answers. Where a merge costs more, fewer settings save
more; `hpo-bench plan` times yours, and says hours and dollars.
"""
