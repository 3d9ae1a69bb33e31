"""The command line: one module a command in `hpo_bench.commands`, imported only when it is called."""

import importlib
import sys

import click

from hpo_bench.errors import HpoBenchError
from landscapes.errors import LandscapeError
from optimizers.errors import OptimizerError
from surrogates.errors import SurrogateError

SECTIONS = {
    "Tune a merge": {
        "doctor": "Check that VLM, expert and base fit together, before anything is spent.",
        "plan": "Forecast what tuning a pair will take.",
        "tune": "Find the best merge of a pair for a budget.",
        "report": "Write a page about a study.",
        "export": "Write the best merge of a study as a model.",
        "merge": "Merge a pair once, into a Hugging Face folder.",
        "graft": "Take a VLM's language backbone out for other tools, and put one back.",
    },
    "Compare optimisers": {
        "run": "Run optimisers on recorded landscapes and write the report.",
        "landscapes": "See which landscapes there are, check them, add your own.",
        "peers": "Run GP-BO against the optimisers of other packages, and write a page about it.",
        "ranking": "See whether the ranking of optimisers survives other surrogates, noise and real merges.",
        "ablation": "See which of GP-BO's choices matter, on functions that are not the landscapes.",
    },
    "Record and measure": {
        "nano": "Train tiny real VLM-LLM pairs from scratch.",
        "record": "Record a landscape from real merges of a pair.",
        "methods": "Compare nine merge methods with each other and with the study.",
        "scale": "See what injection gains in larger models.",
        "cost": "See what tuning costs, and what it saves against the full grid and merges on disk.",
        "speed": "Time re-merging in place against mergekit and a memory copy.",
    },
}
COMMANDS = {name: about for commands in SECTIONS.values() for name, about in commands.items()}


class LazyGroup(click.Group):
    """Imports a command when it is called, so that `--help` does not wait for torch."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, from the module of that name."""
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"hpo_bench.commands.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line a command, by what the user is after, without importing any."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


EXAMPLES = """\b
Examples:
  hpo-bench tune --demo                  tune the pair that ships, on a CPU, in a minute or two
  hpo-bench run                          every optimiser on every recorded landscape
  hpo-bench record ja-llama --method ta  record a landscape from real merges
"""


@click.group(cls=LazyGroup, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hpo-bench")
def cli() -> None:
    """Which optimiser finds the best merge of a vision-language model with an expert language model soonest."""


def main() -> None:
    """Entry point: errors of ours end in one line and exit code 2, Ctrl-C in 130."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted; give the same command again to go on", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (HpoBenchError, LandscapeError, OptimizerError, SurrogateError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except OSError as error:  # a folder that cannot be written, a disk that is full
        what = f"{error.filename}: {error.strerror}" if error.filename else error
        click.echo(f"error: {what}; check that the folder exists, may be written and has room", err=True)
        sys.exit(2)
