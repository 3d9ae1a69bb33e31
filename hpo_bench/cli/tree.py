"""The tree of commands: one module a command, in this folder or in `experiments/`, imported only when it is called."""

import importlib
import os
from collections.abc import Sequence

import click

from hpo_bench.cli.options import Group
from surrogates.spelling import did_you_mean

EXPERIMENTS = "Measure, and write a page about it"
SECTIONS = {
    "Tune a merge": {
        "doctor": "Check that VLM, expert and base fit together, before anything is spent.",
        "examples": "Read questions of your own, whatever file they are in, and see how they are understood.",
        "plan": "Forecast what tuning a pair will take.",
        "tune": "Find the best merge of a pair for a budget.",
        "report": "Write a page about a study.",
        "export": "Write the best merge of a study as a model.",
        "merge": "Merge a pair once, into a Hugging Face folder.",
        "graft": "Take a VLM's language backbone out for other tools, and put one back.",
    },
    "Compare optimisers": {
        "run": "Run optimisers on recorded landscapes and write the report.",
        "compare": "See whether any optimiser is worse than in earlier results.",
        "landscapes": "See which landscapes there are, check them, add your own.",
        "record": "Record a landscape from real merges of a pair.",
        "nano": "Train tiny real VLM-LLM pairs from scratch.",
    },
    EXPERIMENTS: {
        "peers": "Run GP-BO against the optimisers of other packages.",
        "ranking": "See whether the ranking of optimisers survives other surrogates, noise and real merges.",
        "tiers": "See whether what nano landscapes teach holds on larger models.",
        "ablation": "See which of GP-BO's choices matter, on functions that are not the landscapes.",
        "methods": "Compare nine merge methods with each other and with the study.",
        "scale": "See what injection gains in larger models.",
        "cost": "See what tuning costs, and what it saves against the full grid and merges on disk.",
        "groups": "See whether weights by group of tensors beat one weight for all.",
        "spending": "See whether few settings on many examples beat many settings on few.",
        "pending": "See what several workers lose by how GP-BO takes points that are still being evaluated.",
        "speed": "Time re-merging in place against mergekit and a memory copy.",
    },
}
COMMANDS = {name: about for commands in SECTIONS.values() for name, about in commands.items()}


class LazyGroup(Group):
    """Imports a command when it is called, so that `--help` does not wait for torch."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, from the module of that name."""
        if cmd_name not in COMMANDS:
            return None
        folder = "hpo_bench.cli.experiments" if cmd_name in SECTIONS[EXPERIMENTS] else "hpo_bench.cli"
        return importlib.import_module(f"{folder}.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line a command, by what the user is after, without importing any."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


EXAMPLES = """\b
Examples:
  hpo-bench tune --demo                  tune the pair that ships, on a CPU, in a minute or two
  hpo-bench run                          every optimiser on a landscape of each pair and method
  hpo-bench record ja-llama --method ta  record a landscape from real merges
"""


@click.group(
    cls=LazyGroup, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="hpo-bench")
def cli() -> None:
    """Which optimiser finds the best merge of a vision-language model with an expert language model soonest."""


def run(arguments: Sequence[str]) -> int:
    """Run a command line, and leave what it raises to the caller.

    Returns:
        The exit code.
    """
    if "_HPO_BENCH_COMPLETE" in os.environ:  # a shell asks what can be typed next
        cli(prog_name="hpo-bench")
    for word in arguments:
        try:
            word.encode()
        except UnicodeEncodeError:  # a byte of a file's name that no file of ours, and no URL, can hold
            raise click.UsageError(f"{word!r} is not UTF-8; rename what it names") from None
    try:
        # As `cli()` does, which makes of a Ctrl-C an error of its own and an empty line.
        with cli.make_context("hpo-bench", list(arguments)) as context:
            cli.invoke(context)
    except click.BadOptionUsage as error:
        error.ctx = error.ctx or _context(arguments)  # the parser does not say whose option it was
        raise
    return 0


ELSEWHERE = {"--trials": "--budget", "--budget": "--trials"}
"""What `run` and `tune` call one thing: how many settings are evaluated."""


def explain(error: click.UsageError) -> str:
    """What is wrong with a command line in one line, with what was meant and where to read more."""
    context = error.ctx
    if context is None:
        return error.format_message()
    more = f"see `{context.command_path} --help`"
    if isinstance(error, click.NoSuchOption):
        known = [option for one in context.command.get_params(context) for option in (*one.opts, *one.secondary_opts)]
        known = [option for option in known if option.startswith("-")]
        meant = ELSEWHERE.get(error.option_name)
        hint = f"did you mean {meant!r}? " if meant in known else did_you_mean(error.option_name, known)
        return f"there is no option {error.option_name}; {hint}{more}"
    return f"{error.format_message().rstrip('.')}; {more}"


def _context(arguments: Sequence[str]) -> click.Context:
    """That of the command which the first arguments name."""
    context = click.Context(cli, info_name="hpo-bench")
    for name in arguments:
        group = context.command
        if not isinstance(group, click.Group) or (command := group.get_command(context, name)) is None:
            break
        context = click.Context(command, parent=context, info_name=name)
    return context
