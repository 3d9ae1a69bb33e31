"""The page about GP-BO and other packages' optimisers: tables in Markdown, and a figure a stage."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpo_bench.benchmark.plan import DESIGN
from hpo_bench.benchmark.result import OVERALL, REFERENCE
from hpo_bench.benchmark.searches import SEARCHES
from hpo_bench.benchmark.tables import ALONE, when
from hpo_bench.display.figures import PAGE_INCHES, blank, house_style, provenance
from hpo_bench.display.looks import COLOURS, INK
from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import interval, number, p_value, seconds, verdicts
from hpo_bench.experiments.page import Part, save_page
from hpo_bench.experiments.peers.lineup import Stage
from hpo_bench.experiments.peers.run import Meeting, Round
from hpo_bench.peers.registry import find
from hpo_bench.statistics.ratios import Summary, median, ratio_of_means

COLUMNS = 3
PEER = "#D55E00"
LEAST = 0.01


def draw(found: Sequence[Meeting]) -> Figure:
    """One panel a peer, of ratios of means with 95% intervals, up to the least budget.

    Args:
        found: The meetings of a stage.
    """
    rows = -(-len(found) // COLUMNS)
    with house_style():
        figure = blank(PAGE_INCHES, 0.9 + 1.9 * rows)
        axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
        until = min(int(one.finished.budgets.min()) for one in found)
        lowest = min(_panel(axis, one, until) for axis, one in zip(axes, found, strict=False))
        axes[0].set_ylim(max(LEAST, lowest), 2)
        for axis in axes[len(found) :]:
            axis.set_axis_off()
        for axis in axes[max(0, len(found) - COLUMNS) : len(found)]:
            axis.set_xlabel("evaluations")
            axis.tick_params(labelbottom=True)
        figure.supylabel("regret over random (ratio of means, log scale)", fontsize=9)
    return figure


def _panel(axis: Axes, one: Meeting, until: int) -> float:
    """Draws a meeting up to that many evaluations, and returns the lowest end of an interval."""
    lowest = np.inf
    t = np.arange(1, until + 1)
    for who, colour in ((one.peer, PEER), (REFERENCE, COLOURS[REFERENCE])):
        value, low, high = one.curve(who, until)
        lowest = min(lowest, float(np.nanmin(low, initial=np.inf)))
        axis.fill_between(t, low, high, step="post", color=colour, alpha=0.18, lw=0)
        axis.step(t, value, where="post", color=colour, lw=1.6, label=one.finished.labels[who])
    axis.axhline(1, color=INK, lw=0.9, ls=(0, (4, 2)))
    axis.axvspan(1, DESIGN, color="#F0F2F4", lw=0, zorder=0)
    axis.set_yscale("log")
    axis.set_yticks([0.01, 0.03, 0.1, 0.3, 1], ["0.01", "0.03", "0.1", "0.3", "1"])
    axis.minorticks_off()
    axis.set_xlim(1, until)
    axis.set_title(f"{one.label} ({one.runs})", fontsize=9)
    axis.legend(loc="lower left", fontsize=7.5, handlelength=1.2)
    return lowest


PAGE = "peers.md"
POINTS = ("10", "20", "end", OVERALL)
WORDS = {"better": "better", "worse": "**WORSE**", "open": "undecided"}
HOW = f"""\
Every optimiser proposes one point at a time, 40 in two dimensions and 60 in three, and begins, where nothing else is
said, with the same {DESIGN} points of a scrambled Sobol' sequence, drawn anew for each problem and seed. A row is about
the runs that the peer and GP-BO both made: the same problems, seeds, starts and noise; *problems × seeds* says how
many. Expensive peers have one seed, or fewer problems: by what they cost, not by what came out. But for Ax, whose
second seed was added because the first left it undecided on the landscapes (t ≥ 10, p = .13): what its row says has
been looked at twice.

- **RoR**, regret over random: mean regret over Random's exact expectation (with noise the mean of {SEARCHES:,}
  simulated searches); lower is better, 1 is uniform random search. It is heavy-tailed, so medians over problems and
  ratios of means tell different stories; both are given.
- **Advantage**: the peer's mean regret minus GP-BO's, over Random's; positive is in favour of GP-BO.
- **Brackets** hold 95% intervals over pairs (BBOB: functions, the 2-D and 3-D ones of a number together); how often
  such intervals hold the truth is in [intervals](../intervals.md).
- **better**, **WORSE**, undecided: what is said of GP-BO. Significant where the interval and Wilcoxon's signed-rank
  test over pairs (functions), with Holm's adjustment for the peers of the table, agree; with fewer than six pairs
  nothing is.
- **CPU seconds** a suggestion are processor time in these very runs, of asking alone. GP-BO's are in groups of up to 64
  runs; in a single run, as in `hpo-bench tune`, a suggestion takes it {ALONE} s. What a peer computes when it is told a
  score, and anybody's recommendation under noise, is left out. The others advance alone, as they are made, and at other
  times, when the machine was more or less busy: between two of these figures a factor of 1.5 means nothing.
- A peer that draws nothing at random (NGOpt, where it does not follow the common start) makes the same run whatever
  the seed: *× 10* is then one run against ten of GP-BO's.
"""
OWN = """\
Here every optimiser begins where it would by itself: GP-BO with the very points of the common design, NGOpt and
Optuna's CMA-ES (after one random trial) at the centre of the box, which is knowledge about the box, PyBADS and TPE at
random.
"""
NOISE = """\
Every evaluation has noise of a tenth of the spread of the function's values. Regret is that, without noise, of what an
optimiser would recommend: GP-BO by what its model believes, the others by the highest score, though some have ways of
their own to recommend that the adapters do not use. GP-BO is told the standard deviation of the noise, PyBADS that
there is some; the others are not told, and those with a model of noise learn it from the scores. SMAC's facade is that
for deterministic functions.

How GP-BO deals with noise was changed after an earlier table of these functions had been seen, in which GP-BO's mean
was bad on the most rugged ones (Griewank-Rosenbrock, Katsuura). What to change it to was decided on other functions and
other instances, and confirmed on fresh ones (`hpo-bench ablation -a smoothed --noise 0.1 --seeds 3 --suite-seed 104`).
"""


def write_page(rounds: Sequence[Round], folder: Path) -> Path:
    """Write the page and its figures.

    Args:
        rounds: What was played, at least one stage of it.
        folder: Where to.

    Returns:
        The page.

    Raises:
        ResultsError: If a file cannot be written.
    """
    figures: dict[str, tuple[Figure, str]] = {}
    parts: list[Part] = ["# GP-BO beside other packages' optimisers", HOW]
    for one in rounds:
        stage, found = one.stage, one.meetings
        source = provenance(max((met.finished.landscapes for met in found), key=len))
        figures[stage.name] = draw(found), source
        parts += [f"## {stage.title}", source, notes(stage)]
        parts += [sentence(one), speed_sentence(found)]
        parts.append(f"![Regret over random against evaluations, GP-BO beside each peer]({stage.name}.png)")
        for title, table in tables(one).items():
            parts += [f"### {title}", table]
    peers = dict.fromkeys(met.peer for one in rounds for met in one.meetings)
    parts += ["## The peers", lineup(list(peers))]
    return save_page(folder / PAGE, parts, figures)


def notes(stage: Stage) -> str:
    """What is particular to a stage."""
    return "\n".join(text for text, holds in ((OWN, stage.start == "own"), (NOISE, stage.noisy)) if holds).strip()


def tables(found: Round) -> dict[str, TextTable]:
    """The tables of a stage by title."""
    return {
        "GP-BO's advantage": advantages(found),
        "Median RoR": ratios(found.meetings, median),
        "Ratio of means": ratios(found.meetings, ratio_of_means),
    }


def advantages(found: Round) -> TextTable:
    """How much lower GP-BO's regret is than each peer's, and whether that is significant."""
    rows = []
    for place, one in enumerate(found.meetings):
        known = {point: found.verdicts[point][place] for point in POINTS}
        cells = [f"{WORDS[own.verdict]} {interval(own.difference.as_json())}" for own in known.values()]
        last = known[OVERALL]
        peer, gp_bo = one.seconds
        rows.append(
            Row(
                one.label,
                (
                    one.runs, *cells, f"{last.better} : {last.worse}", p_value(last.p), seconds(peer),
                    times(peer / gp_bo),
                ),
                one.peer,
            )
        )  # fmt: skip
    heads = (
        "GP-BO against", "problems × seeds", *(when(point) for point in POINTS), f"won : lost, {when(OVERALL)}",
        f"p, {when(OVERALL)}", "CPU seconds a suggestion", "of GP-BO's",
    )  # fmt: skip
    return TextTable(heads, tuple(rows))


def ratios(found: Sequence[Meeting], summary: Summary) -> TextTable:
    """A ratio of each peer, and GP-BO's on the same runs, at each checkpoint."""

    def cell(one: Meeting, who: str, point: str) -> str:
        return interval(one.figure(who, one.at(point), summary).as_json())

    rows = tuple(
        Row(
            one.label,
            (one.runs, *(f"{cell(one, one.peer, point)} / {cell(one, REFERENCE, point)}" for point in POINTS)),
            one.peer,
        )
        for one in found
    )
    return TextTable(("peer / GP-BO on the same runs", "problems × seeds", *(when(point) for point in POINTS)), rows)


def sentence(found: Round) -> str:
    """Against whom GP-BO is significantly better or worse, in words."""
    parts = []
    for point in (OVERALL, "10", "20", "end"):
        judged = zip(found.meetings, found.verdicts[point], strict=True)
        by = {verdict: [] for verdict in WORDS}
        for one, own in judged:
            by[own.verdict].append(one.label)
        said = verdicts("GP-BO", better=by["better"], worse=by["worse"], undecided=by["open"])
        parts.append(f"- {when(point)}: {said.replace('worse than', '**worse than**')}.")
    return "\n".join(parts)


def speed_sentence(found: Sequence[Meeting]) -> str:
    """GP-BO's speed and regret beside those of BoTorch's loop; empty where that does not take part."""
    for one in found:
        if one.peer == "botorch":
            peer, own = one.seconds
            point = one.at(OVERALL)
            theirs, ours = (number(one.figure(who, point, ratio_of_means).value) for who in (one.peer, REFERENCE))
            return (
                f"On the same runs BoTorch's loop takes {seconds(peer)} CPU seconds a suggestion and GP-BO "
                f"{seconds(own)} in groups of up to 64 runs, {peer / own:.0f} times less ({peer / ALONE:.0f} times "
                f"less in a single run, as in `tune`), at a ratio of means of {ours} against {theirs} "
                f"({when(OVERALL)})."
            )
    return ""


def lineup(peers: Sequence[str]) -> TextTable:
    """Which versions ran, and what each made of the common start."""
    kinds = [find(peer) for peer in peers]
    lines = (
        (kind.label, ", ".join(f"{name} {version}" for name, version in kind.versions().items()), kind.given)
        for kind in kinds
    )
    return TextTable.of(("peer", "versions", "what it makes of a start"), lines)


def times(factor: float) -> str:
    """`3.5×`, or `115×`."""
    return f"{factor:.1f}×" if factor < 10 else f"{factor:.0f}×"
