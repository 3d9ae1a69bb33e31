"""The card of a recording, drafted before a model is loaded, so that what will not do for one is refused in time."""

import shlex
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import LEAST, SPLIT_RULE, SPLITS
from hpo_bench.evaluation.options import without_secrets
from hpo_bench.merging.methods import registry
from hpo_bench.merging.pair import Pair
from hpo_bench.recording import designs
from hpo_bench.recording.designs import HELD_OUT, Design
from landscapes import card
from landscapes.errors import InvalidCardError
from landscapes.outcomes import EVERY
from landscapes.terms import ELSEWHERE, METHODS

EXACT_MATCH = "exact match of the whole answer, by teacher-forced greedy decoding"


def check_name(pair: Pair) -> None:
    """Refuse a name that will not do for a folder.

    Raises:
        UsageError: If it will not; the message names file and key.
    """
    if not card.is_slug(pair.name):
        raise UsageError(
            f"{pair.described_in}: name is {pair.name!r}, but a landscape is a folder of that name: letters, digits, "
            "hyphens, dots and underscores, the first no dot"
        )


def draft(pair: Pair, plan: Design, mask_seed: int, *, box: str = designs.STUDY, name: str = "") -> card.Card:
    """A card without the hashes of the checkpoints, and with counts of examples that only stand for them.

    Args:
        pair: What is merged.
        plan: At which settings.
        mask_seed: Seed of DARE's masks.
        box: In which.
        name: Of the landscape; PAIR/METHOD by default.

    Raises:
        UsageError: If something in the pair's description will not do; the message names file and key.
    """
    kind = registry.get(plan.method)
    masks = {"mask_seed": mask_seed} if kind.draws_masks else {}
    base = pair.sources["base"]
    keys = {
        "name": name or f"{pair.name}/{kind.name}",
        "pair": pair.name,
        "tier": pair.tier or ELSEWHERE,
        "domain": pair.domain or "other",
        "benchmark": pair.benchmark or _asked(pair),
        "method": kind.name if kind.name in METHODS else "other",
        "parameters": plan.parameters,
        "base": f"{pair.name}/{base.name}" if isinstance(base, Path) else str(base),
        "checkpoints": {},
        "versions": {name: version(name) for name in ("mergekit", "transformers", "torch", "hpo-bench")},
        "merge_options": {
            "engine": "resident, with mergekit's masks" if kind.draws_masks and kind.mergekit else "resident",
            **(kind.mergekit or {"method": plan.method}),
            "dtype": pair.merge.dtype,
            **{part: False for part, merged in asdict(pair.merge).items() if merged is False},
            **masks,
        },
        "design": plan.name,
        "metric": _metric(pair),
        "units": "fraction correct",
        "split_rule": SPLIT_RULE,
        "n_examples": {split: {EVERY: LEAST} for split in SPLITS},
        "licence": "not stated" if (pair.tier or ELSEWHERE) == ELSEWHERE else "CC-BY-4.0",
        "date": date.today().isoformat(),
        "command": command(pair, plan, mask_seed, box=box),
        "notes": pair.notes,
    }
    try:
        return card.Card.of(keys, pair.described_in)
    except InvalidCardError as error:
        raise UsageError(f"{error} (for the card of its landscape)") from error


def command(pair: Pair, plan: Design, mask_seed: int, *, box: str = designs.STUDY) -> str:
    """What records it again: a line for a shell.

    Args:
        pair: What is merged.
        plan: At which settings.
        mask_seed: Seed of DARE's masks.
        box: In which.
    """
    words = ["hpo-bench", "record", pair.name, "--method", plan.method]
    words += [] if box == designs.STUDY else ["--box", box]
    words += [] if plan.name == box else ["--design", plan.name]
    if plan.name == HELD_OUT and len(plan.points) != designs.HELD_OUT_POINTS:
        words += ["--settings", str(len(plan.points))]
    words += ["--mask-seed", str(mask_seed)] if registry.get(plan.method).draws_masks and mask_seed else []
    return shlex.join([*words, *pair.typed])


def _asked(pair: Pair) -> str:
    """What is asked, for a pair that does not call it anything."""
    tasks = pair.evaluation.get("tasks")
    if tasks is not None:
        return ", ".join(map(str, tasks)) if isinstance(tasks, list) else str(tasks)
    return pair.examples.name if pair.examples_file or "examples" in pair.evaluation else pair.name


def _metric(pair: Pair) -> str:
    """What a score is the mean of, as the pair's evaluation section has it."""
    asked = without_secrets(pair.evaluation)
    return ", ".join(f"{key} {value}" for key, value in asked.items()) if asked else EXACT_MATCH
