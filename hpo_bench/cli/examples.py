"""`hpo-bench examples`: data of one's own, as a model will be asked about them."""

from pathlib import Path

import click

from hpo_bench.cli.options import FOLDER
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
@click.option("--question", metavar="COLUMN", default="", help="The question, as text.  [default: question]")
@click.option("--answer", metavar="COLUMN", default="", help="The right answer, or a list of them.  [default: answer]")
@click.option(
    "--image", metavar="COLUMN", multiple=True,
    help="Pictures; repeatable.  [default: image, images, or image_1, image_2, ...]",
)  # fmt: skip
@click.option(
    "--choices", metavar="COLUMN", multiple=True,
    help="Choices, in one column or one each; repeatable; '' for none.  [default: choices, options, or A, B, ...]",
)  # fmt: skip
@click.option("--category", metavar="COLUMN", default="", help="The category.  [default: category]")
@click.option("--id", metavar="COLUMN", default="", help="The id.  [default: id, else the content's hash]")
@click.option("--annotations", metavar="FILE", default="", help="A second file beside the first, matched by the id.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="At most so many examples, drawn by a hash of their ids."
)
@click.option(
    "--images-dir", type=FOLDER, metavar="DIR", help="Where paths of pictures begin.  [default: the folder of DATA]"
)
@click.option(
    "--to", type=FOLDER, metavar="FILE", help="Write them, with their pictures, as one parquet file for a pair.yaml."
)
def command(
    *,
    data: Path,
    question: str,
    answer: str,
    image: tuple[str, ...],
    choices: tuple[str, ...],
    category: str,
    id: str,
    annotations: str,
    limit: int | None,
    images_dir: Path | None,
    to: Path | None,
) -> None:
    r"""Read and verify DATA, show how it is understood, and say what to write into a pair.yaml.

    DATA is a file (parquet, arrow, jsonl, json, csv or tsv), a folder of them as `datasets` or the hub has it, or a
    pattern with *. COLUMN is the name of a column, a path into one (answers.answer), or text with columns in braces
    ('{hint}\n{question}'). Other columns are left aside. docs/examples.md shows how the files of public benchmarks are
    read.
    """
    from collections import Counter

    import yaml

    from hpo_bench.errors import UsageError
    from hpo_bench.evaluation.examples import SPLITS, check_sides, of_split, write_examples
    from hpo_bench.evaluation.reading.benchmark import read_table
    from hpo_bench.evaluation.reading.columns import Columns
    from hpo_bench.files import write

    if to is not None and to.suffix != ".parquet":
        raise UsageError(f"--to {to}: examples are written as parquet; let the name end in .parquet")
    named = {
        "question": question.replace("\\n", "\n"),
        "answer": answer,
        "image": image,
        "choices": choices,
        "category": category,
        "id": id,
        "annotations": annotations,
        "limit": limit or 0,
    }
    found = read_table(data, Columns(**named), images=images_dir)
    for example in found.examples[:SHOWN]:
        asked = example.question if len(example.question) <= _LONGEST else f"{example.question[:_LONGEST]} ..."
        say(f"--- {example.id} ({example.split}, {example.category})\n{asked}\n=> {' | '.join(example.answers[:5])}")
    sides = " and ".join(f"{len(of_split(found.examples, side))} {side}" for side in SPLITS)
    pictures = sum(len(example.images) for example in found.examples)
    categories = Counter(example.category for example in found.examples)
    told = ", ".join(f"{name} {count}" for name, count in categories.most_common(8))
    say(f"---\n{data}: {len(found.examples)} examples ({sides}) with {pictures} pictures; categories: {told}")
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
        told = {"examples": str(data)}
        told |= {key: value for key, value in named.items() if value}
        told |= {key: [one for one in named[key] if one] for key in ("image", "choices") if named[key]}
    text = yaml.safe_dump({"evaluation": told}, allow_unicode=True, sort_keys=False, width=100)
    say(f"in a pair.yaml {'beside it' if to else 'in a folder above it'}:\n{text}", nl=False)
