"""All that comes before a study's first trial, with nothing left behind."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.budget import time_limit
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.options import RunOptions
from hpo_bench.tuning.planning import references
from hpo_bench.tuning.planning.references import Reference
from hpo_bench.tuning.run import PoolOpener, check, opener, same_files
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.workers.single_job import result_of
from hpo_bench.workers import one_thread


def dry_run(
    pair: Pair,
    config: StudyConfig,
    options: RunOptions,
    *,
    console: Console,
    open_pool: PoolOpener | None = None,
    published: float | None = None,
) -> tuple[Reference, ...]:
    """Do all that comes before the first trial, for what there is without tuning too, and leave nothing behind.

    Args:
        pair: What would be merged.
        config: Which trials would be made.
        options: How they would be made.
        console: Where to show what is asked and said.
        open_pool: Opens the workers; by default those that the options ask for.
        published: The base VLM's score elsewhere, from 0 to 100, to be set against ours.

    Raises:
        UsageError: If an option makes no sense.
        TuningError: If the study could not be begun or continued, or the base VLM cannot be evaluated.
        OptimizerError: If there is no such optimiser, or it refuses the box.
    """
    if published is not None:
        references.check_published(published)
    check(pair, config, options)
    folder = options.folder(config)
    with one_thread(), ExitStack() as stack:
        if (store := TrialStore.look(folder, options.name(config), url=options.storage)) is not None:
            stack.callback(store.close)
            same_files(store, pair, config)
        logs = Path(stack.enter_context(TemporaryDirectory(prefix="hpo-bench-")))
        interrupt = stack.enter_context(Interrupt())
        pool = (open_pool or opener(pair, config, options))(logs, ())
        stack.callback(pool.stop)
        do = partial(result_of, pool, interrupt, limit=time_limit(options.timeout, ()))
        asked = references.ask_references(do)
        references.show_references(asked, console)
        if published is not None:
            far, told = references.compare_published(do, published)
            console.print(f"{'Warning: ' * far}{told}")
        return asked
