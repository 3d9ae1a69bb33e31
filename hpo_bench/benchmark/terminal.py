"""The headline tables in the terminal."""

from rich.console import Console

from hpo_bench.benchmark import answer, tiers
from hpo_bench.benchmark.sentences import (
    comparison_sentence,
    interval_sentence,
    noise_sentence,
    sound_sentence,
    units,
    without_intervals,
)
from hpo_bench.benchmark.tables import above_noise, comparisons, headline, overall, sound, when
from hpo_bench.display.words import counted


def show(content: dict, console: Console) -> None:
    """Print regret-over-random by optimiser.

    Args:
        content: What `summary.summary` made.
        console: Where to.
    """
    bracketed = "" if without_intervals(content) else f" [95% interval over {units(content)}]"
    if content.get("goal") == "test":
        on = counted(len(content["landscapes"]), "landscape")
        title = f"What is recommended, on unseen examples of {on}{bracketed}"
        console.print(answer.table(content).printed(title=title))
        for head, sentence in answer.sentences(content).items():
            console.print(f"{head}: {sentence}")
        return
    total = len(content["landscapes"])
    on = "1 landscape" if total == 1 else f"all {total} landscapes"
    seen = "the optimisers see noise" if content["noisy"] else "without noise"
    console.print(
        headline(content).printed(
            title=f"Regret over random{bracketed} on {on}, {seen}; lower is better, 1 is uniform random search",
        )
    )
    for words in (interval_sentence(content), noise_sentence(content)):
        if words:
            console.print(words)
    if resolved := above_noise(content):
        console.print()
        console.print(resolved.printed(title="The same, on landscapes where Random's regret is above that noise"))
    if words := sound_sentence(content):
        console.print(words)
    if firm := sound(content):
        console.print(firm.printed(title="Without weak landscapes"))
    if words := tiers.sentence(content):
        console.print(words)
    if words := comparison_sentence(content):
        console.print()
        console.print(words)
    if (against := comparisons(content)) and len(against.rows) > 1:
        title = f"Advantage: the other's mean regret minus its own, over Random's ({when(overall(content))})"
        console.print(against.printed(title=title))
