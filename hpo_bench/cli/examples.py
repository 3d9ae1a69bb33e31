"""`hpo-bench examples`: data of one's own, as a model will be asked about them."""

from pathlib import Path
from typing import Any

import click

from hpo_bench.cli.options import COLUMNS, FOLDER
from hpo_bench.cli.types import Written
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench examples questions.csv
  hpo-bench examples MMBench_DEV_EN.tsv --id index --question '{hint}\\n{question}'
  hpo-bench examples 'MMMU/*/validation-*.parquet' --category subfield --to mmmu.parquet
  hpo-bench examples questions.json --annotations annotations.json --id question_id \\
      --answer answers.answer --image 'val2014/COCO_val2014_{image_id:012}.jpg' --limit 2000
"""
SHOWN = 3
_LONGEST = 400


@click.command(epilog=EXAMPLES)
@click.argument("data", type=FOLDER)
@COLUMNS
@click.option(
    "--images-dir", type=FOLDER, metavar="DIR", help="Where paths of pictures begin.  [default: the folder of DATA]"
)
@click.option(
    "--to", type=Written(folder=False), metavar="FILE",
    help="Write them, with their pictures, as one parquet file for a pair.yaml.",
)  # fmt: skip
def command(
    *,
    data: Path,
    images_dir: Path | None,
    to: Path | None,
    **named: Any,
) -> None:
    r"""Read and verify DATA, show how it is understood, and say what to write into a pair.yaml.

    DATA is a file (parquet, arrow, jsonl, json, csv or tsv), a folder of them as `datasets` or the hub has it, or a
    pattern with *. COLUMN is the name of a column, a path into one (answers.answer), or text with columns in braces
    ('{hint}\n{question}'). Other columns are left aside. docs/examples.md shows how the files of public benchmarks are
    read.
    """
    from collections import Counter

    import yaml

    from hpo_bench.display.words import counted
    from hpo_bench.errors import UsageError
    from hpo_bench.evaluation.examples import SPLITS, check_sides, of_split, write_examples
    from hpo_bench.evaluation.reading.benchmark import read_table
    from hpo_bench.evaluation.reading.columns import Columns
    from hpo_bench.files import write

    if to is not None and to.suffix != ".parquet":
        raise UsageError(f"--to {to}: examples are written as parquet; let the name end in .parquet")
    wanted = Columns.named(**named)
    found = read_table(data, wanted, images=images_dir)
    for example in found.examples[:SHOWN]:
        asked = example.question if len(example.question) <= _LONGEST else f"{example.question[:_LONGEST]} ..."
        asked = "\n".join([*(f"[{role}] {said}" for role, said in example.before), asked])
        say(f"--- {example.id} ({example.split}, {example.category})\n{asked}\n=> {' | '.join(example.answers[:5])}")
    sides = " and ".join(f"{len(of_split(found.examples, side))} {side}" for side in SPLITS)
    pictures = sum(len(example.images) for example in found.examples)
    categories = Counter(example.category for example in found.examples)
    told = ", ".join(f"{name} {count}" for name, count in categories.most_common(8))
    many = f"{counted(len(found.examples), 'example')} ({sides}) with {counted(pictures, 'picture')}"
    say(f"---\n{data}: {many}; categories: {told}")
    for note in found.notes:
        say(f"Note: {note}.")
    check_sides(found.examples, SPLITS, str(data))
    if to is not None:
        write(to, lambda path: write_examples(found.examples, path))
        told = {"examples": to.name}
    else:
        if images_dir is not None:
            say("a pair.yaml finds pictures by paths from the examples alone: write both into one file with --to FILE")
            return
        told = {"examples": str(data), **wanted.section}
    text = yaml.safe_dump({"evaluation": told}, allow_unicode=True, sort_keys=False, width=100)
    say(f"in a pair.yaml {'beside it' if to else 'in a folder above it'}:\n{text}", nl=False)
