"""README's results, from the results of `hpo-bench run`: `python -m hpo_bench.experiments.readme` (or `make readme`).

README has the answer, `docs/results.md` every ratio. What they show is kept in `docs/results.json`, so that a test can
see whether it is still what the code produces: the same optimisers at the same versions, the same landscapes, the same
figures from the same regrets.
"""

import argparse
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from hpo_bench.benchmark import answer
from hpo_bench.benchmark.sentences import at, comparison_sentence, noise_sentence, sound_sentence, unseen_sentence
from hpo_bench.benchmark.tables import headline, overall, sound, when
from hpo_bench.display.words import counted, interval, listed
from hpo_bench.errors import ResultsError
from hpo_bench.files import RESULTS, write, write_json
from landscapes.errors import UnreadableError
from landscapes.written import read_json

README, KEPT, PAGE = Path("README.md"), Path("docs/results.json"), Path("docs/results.md")
FIGURES = {"answer.png": Path("docs/answer.png"), "ror.png": Path("docs/regret_over_random.png")}
"""Where figures of the report go, by their names in it."""
BEGIN, END = "<!-- results -->\n", "<!-- /results -->"
LEFT_OUT = ("inputs", "files", "runs", "jobs", "wall_seconds")
"""What a summary says about one machine and one run of the command, and not about optimisers."""
FEW = "Medians over fewer than six pairs have no interval."
TITLE = """# Results

Made by `make readme` from `make bench`.

![Regret over random by optimiser](regret_over_random.png)

Marks are landscapes (square: weak by our own rule), boxes their quartiles, bars their medians; hollow marks are those
where random search itself is within the noise of a comparison."""
COLUMNS = {
    "random budget": "how many random draws reach the same regret at the end, as a multiple of those spent",
    "seconds a suggestion": "the processor's, in groups of up to 64 runs",
}


def block(content: Mapping) -> str:
    """What stands between the marks of README: the answer, and the one table.

    Args:
        content: The summary of a benchmark on landscapes, with its report.
    """
    said = [f"- **{head}.** {text}" for head, text in answer.sentences(content).items()]
    about = (
        f"{counted(len(content['landscapes']), 'landscape')} of {_pairs(content)}, "
        f"{counted(content['seeds'], 'seed')}. "
        "Loss: how far, in points, the setting that validation picks falls short of the best on examples that tuning "
        "never saw; RoR, regret over random: the distance from the surrogate's optimum over that of uniform random "
        "search. In brackets 95% intervals over pairs ([how often they hold](docs/intervals.md)); lower is better. "
        "[Every ratio, with and without weak landscapes](docs/results.md)."
    )
    return "\n\n".join(["\n".join(said), answer.table(content).to_markdown(), about]) + "\n"


def _pairs(content: Mapping) -> str:
    tiers = {one["pair"]: one["tier"] for one in content["landscapes"]}
    return listed([counted(count, f"{tier} pair") for tier, count in Counter(tiers.values()).items()])


def page(content: Mapping) -> str:
    """`docs/results.md`: every ratio, with and without weak landscapes.

    Args:
        content: The summary of a benchmark on landscapes, with its report.
    """
    landscapes = content["landscapes"]
    columns = "; ".join(f"{name}: {what}" for name, what in COLUMNS.items())
    about = (
        f"Regret over random (RoR) on the {counted(len(landscapes), 'landscape')} that `run` takes, "
        f"from {_pairs(content)}, {counted(content['seeds'], 'seed')}; in brackets 95% intervals over pairs "
        "([how often they hold](intervals.md)); lower is better, 1 is uniform random search. "
        f"{columns[0].upper()}{columns[1:]}."
    )
    parts = [
        TITLE, _first(content), unseen_sentence(content), about, headline(content).to_markdown(),
        noise_sentence(content), f"{comparison_sentence(content)} {_equivalent(content)}".strip(),
    ]  # fmt: skip
    if table := sound(content):
        parts += [sound_sentence(content), table.to_markdown(), FEW]
    return "\n\n".join(filter(None, parts)) + "\n"


def _first(content: Mapping) -> str:
    """On how many landscapes the reference has the least regret, and its first and last figure."""
    identity, point = content["comparisons"]["reference"], overall(content)
    label, figures = content["optimizers"][identity]["label"], content["optimizers"][identity]["at"]
    regrets = [one["regret"][point] for one in content["landscapes"]]
    first = sum(regret[identity] <= min(regret.values()) for regret in regrets)
    ratios = [f"{interval(figures[one]['median_ror_all'])} {at(one)}" for one in figures if one != point]
    return (
        f"**{label} has the least mean regret ({when(point)}) on {first} of {counted(len(regrets), 'landscape')}**; "
        f"its median regret over random is {listed(ratios)}."
    )


def _equivalent(content: Mapping) -> str:
    """Which differences a Bayesian test calls practically equivalent."""
    found = [
        content["optimizers"][one["other"]]["label"]
        for one in content["comparisons"]["at"][overall(content)]
        if content["comparisons"]["probability"][one["other"]]["equivalent"] > 0.5
    ]
    if not found:
        return ""
    return (
        f"Yet a Bayesian signed-rank test finds it likelier than not that nobody could tell it from {listed(found)} "
        "with so few examples."
    )


def publish(results: Path, root: Path) -> None:
    """Put the figures of a results folder into README and docs.

    Args:
        results: A results folder with a report on the landscapes that `run` takes.
        root: The folder of README.

    Raises:
        ResultsError: If the folder has no report, or README no marks.
    """
    try:
        content = read_json(results / "summary.json")
    except UnreadableError as error:
        raise ResultsError(f"{error}; run `hpo-bench run` first") from error
    if not isinstance(content, dict) or not content.get("unseen") or "optimizers" not in content:
        raise ResultsError(
            f"{results} has no report of this version on recorded landscapes; run `hpo-bench run` without --no-report"
        )
    kept = {key: value for key, value in content.items() if key not in LEFT_OUT}
    readme = root / README
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ResultsError(f"{readme} has no lines {BEGIN.strip()} and {END}, between which results go; put them back")
    write_json(root / KEPT, kept)
    write(root / PAGE, page(kept))
    for name, place in FIGURES.items():
        write(root / place, lambda path, name=name: shutil.copyfile(results / "figures" / name, path))
    text = f"{before}{BEGIN}{block(kept)}{END}{after}"
    write(readme, text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Put the figures of `hpo-bench run` into README.md and docs.")
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS)
    publish(parser.parse_args().results, Path())
