"""Whether there are examples enough, before a model is loaded."""

from hpo_bench.evaluation.examples import LEAST, SPLITS, check_sides, of_split
from hpo_bench.evaluation.registry import read_benchmark
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.goal import Keep


def check_examples(pair: Pair, *, keep: Keep | None = None) -> None:
    """Refuse too few examples for a score on each side; those of lmms-eval's tasks are known to the workers alone.

    Args:
        pair: Whose examples.
        keep: An ability that must be kept, which needs examples of its own on each side, and leaves others.

    Raises:
        UsageError: If examples cannot be read, or are too few; the message has the counts.
        LiveError: If they are too few for the ability to keep.
    """
    examples = read_benchmark(pair)
    if examples is None:
        return
    check_sides(examples, SPLITS, str(pair.examples))
    if keep is not None:
        for split in SPLITS:
            categories = [example.category for example in of_split(examples, split)]
            keep.check(categories, f"the {split} examples of {pair.examples}", least=LEAST)
