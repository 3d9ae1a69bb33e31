"""The best merge of a study as a Hugging Face folder, and the proof that it is the one that was scored."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hpo_bench.display.table import Row, TextTable
from hpo_bench.errors import TuningError
from hpo_bench.evaluation.base import Answers, asked
from hpo_bench.evaluation.registry import as_begun, open_evaluator
from hpo_bench.evaluation.trusted import answers_of
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.source import HubModel
from hpo_bench.merging.writing.export import export_merge
from hpo_bench.merging.writing.folder import check_free
from hpo_bench.statistics.examples import Z95, error_of_mean
from hpo_bench.tuning.goal import Goal
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.outcome.tables import scores
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import Trial, writable

CARD = "README.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A merge on disk, and how it answers when it is loaded from there.

    Attributes:
        folder: Where it is.
        trial: Whose merge it is.
        same: How many validation answers are those that were recorded: of the same score and, where the evaluator
            tells it, in the same words.
        total: How many there are.
        score: Validation score of what was loaded.
        merged_in: Type of the weights that were recorded.
        stored_in: Type of most weights on disk, where each has the VLM's own.
        explained: Whether the merge in memory, rounded to the type on disk, answers example by example as what was
            loaded: then rounding is all that differs.
    """

    folder: Path
    trial: Trial
    same: int
    total: int
    score: float
    merged_in: str
    stored_in: str
    explained: bool

    @property
    def sentence(self) -> str:
        """How it answers, in words."""
        told = f"Loaded again, it answers {self.same} of {self.total} examples as recorded"
        if self.same == self.total:
            return f"{told}."
        told += f" (score {self.score:.3f}, recorded {self.trial.score or 0.0:.3f})"
        if self.explained:
            return (
                f"{told}. All that differs is rounding: it was scored in {self.merged_in} and is stored in "
                f"{self.stored_in}, as the VLM is; rounded so in memory it answers as it does from disk."
            )
        return f"{told}, and rounding does not explain it."


def export(
    store: TrialStore,
    folder: Path,
    *,
    pair: Pair | None,
    trial: int | None,
    device: str,
    trust_remote_code: bool,
) -> Exported:
    """Write the recommended merge, or another trial's, with a model card; then load it and answer the questions again.

    Arguments and errors are those of `hpo_bench.tuning.study.Study.export`.
    """
    config = store.begun
    chosen, result = _choose(store, trial)
    pair = as_begun(pair or Invocation.read(store.folder).find(), config.evaluation)
    config.check_same_weights(pair)
    check_free(folder, apart_from=pair.folders)  # before the minutes that loading takes
    loaded = LoadedPair.load(pair, device=device, trust_remote_code=trust_remote_code)
    provenance = {
        "study": store.name,
        "trial": chosen.number,
        "validation": {"score": chosen.score, "standard_error": chosen.standard_error},
        "command": shlex.join(Invocation.read(store.folder).command),
        **({result.head: _honest(result)} if result is not None and chosen.number == result.recommended else {}),
    }
    checked: list[Exported] = []

    def describe(finished: Path, provenance: Mapping[str, Any]) -> dict[str, str]:
        types = provenance["merged_in"], provenance["stored_in"]
        checked.append(_check(store, chosen, pair, loaded, finished, types, device))
        return {CARD: f"{card(store, chosen, result, pair=pair)}\n{checked[0].sentence}\n"}

    export_merge(
        pair,
        loaded,
        chosen.setting,
        folder,
        provenance,
        mask_seed=config.mask_seed,
        further=describe,  # the folder has its name when all of it is there, and has been asked
    )
    return replace(checked[0], folder=folder)


def card(store: TrialStore, trial: Trial, result: TuningResult | None, *, pair: Pair) -> str:
    """The model card; of models from the hub it says in the hub's own terms that this is a merge of them."""
    setting, parents = trial.setting, [one.repository for one in pair.sources.values() if isinstance(one, HubModel)]
    rows = tuple(Row(name, (f"{value:.6g}",)) for name, value in setting.parameters.items())
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: image-text-to-text",
        "tags: [merge, hpo-bench]",
        *([f"base_model: [{', '.join(parents)}]", "base_model_relation: merge"] if parents else []),
        "---",
        "",
        f"# {store.begun.pair}, merged by {setting.label}",
        "",
        "A vision-language model into which the skill of an expert language model was merged, without training, by "
        "hpo-bench. What was merged, byte for byte, is in `hpo_bench.json`.",
        "",
        TextTable(("hyperparameter", "value"), rows).to_markdown(),
        "",
        f"Found in trial {trial.number} of study `{store.name}` by `{store.begun.optimizer}`:",
        "",
        f"    {shlex.join(Invocation.read(store.folder).command)}",
        "",
        f"On {'the' if store.begun.examples else 'validation'} examples that the search looked at, "
        f"{_scored(store, trial)}",
    ]
    if result is not None and trial.number == result.recommended:
        lines += [
            result.about_scores,
            "",
            scores(result).to_markdown(),
        ]
        if not result.distinguished:
            lines += ["", "The study told no merge from the base VLM, and recommends no change."]
    if pair.licence:
        lines += ["", f"Licence of what was merged: {pair.licence}"]
    return "\n".join(lines) + "\n"


def _choose(store: TrialStore, number: int | None) -> tuple[Trial, TuningResult | None]:
    result = TuningResult.read(store.folder)
    if number is None and result is None:
        raise TuningError(f"study {store.name} is not finished; finish it, or name a trial with --trial")
    wanted = result.recommended if number is None and result is not None else number
    trial = next((trial for trial in store.trials() if trial.number == wanted), None)
    if trial is None or trial.score is None:
        raise TuningError(f"study {store.name} has no complete trial {wanted}; name another with --trial")
    return trial, result


def _check(
    store: TrialStore,
    trial: Trial,
    pair: Pair,
    loaded: LoadedPair,
    folder: Path,
    types: tuple[str, str],
    device: str,
) -> Exported:
    # Another object than the one that was merged into: what was written is what is answered with.
    vlm: Any = type(loaded.vlm).from_pretrained(
        folder,
        dtype=next(iter(loaded.vlm.parameters())).dtype,
        use_safetensors=True,
        local_files_only=True,
    )
    vlm = vlm.eval()
    vlm.to(device)
    tuned_on = store.begun.examples
    answers = _answered(replace(loaded, vlm=vlm), trial, pair, tuned_on)
    recorded = store.answers(trial.number)
    if len(answers) != len(recorded):
        raise TuningError(f"the benchmark has {len(answers)} examples and the trial answered {len(recorded)}")
    alike = np.isclose(answers.scores, recorded.scores) & _same_words(answers, recorded)
    merged_in, stored_in = types
    explained = bool(alike.all())
    if not explained and (rounded := _rounded(loaded)) is not None:
        # Written into weights of the type that was merged in, these are what loading makes of the stored ones.
        loaded.write_language(rounded)
        again = _answered(loaded, trial, pair, tuned_on)
        explained = bool((again.scores == answers.scores).all() and _same_words(again, answers).all())
    return Exported(
        folder=folder,
        trial=trial,
        same=int(alike.sum()),
        total=len(recorded),
        score=Goal(store.begun.keep).improved(replace(recorded, scores=answers.scores)).score,
        merged_in=merged_in,
        stored_in=stored_in,
        explained=explained,
    )


def _answered(loaded: LoadedPair, trial: Trial, pair: Pair, tuned_on: int | None) -> Answers:
    """How a pair's live model answers the examples that were tuned on.

    The evaluator is opened on that very model, as what it sets there, such as how attention is computed, decides over
    answers in half precision.
    """
    evaluator = open_evaluator(pair, loaded)
    examples = asked(evaluator, "validation", tuned_on)
    return answers_of(loaded.vlm, evaluator, examples, merge=trial.setting)


def _same_words(one: Answers, other: Answers) -> NDArray[np.bool_]:
    """Which of n answers are in the same words, of shape (n,); all of them where the words of either are not known."""
    if not (one.responses and other.responses):
        return np.ones(len(one), dtype=bool)
    # Files hold no halves of surrogate pairs, and one of the two may come from a file.
    return np.array([writable(own) == writable(said) for own, said in zip(one.responses, other.responses, strict=True)])


def _rounded(loaded: LoadedPair) -> dict[str, torch.Tensor] | None:
    """The live VLM's language weights, each in the type that it is stored in; None where that changes none."""
    if (alignment := loaded.alignment) is None:
        return None
    weights = loaded.read_language()
    if all(alignment.stored_as(name) == tensor.dtype for name, tensor in weights.items()):
        return None
    return {name: tensor.to(alignment.stored_as(name)) for name, tensor in weights.items()}


def _honest(result: TuningResult) -> Mapping[str, float]:
    best = result.merges[0]
    return {"score": best.test, "standard_error": best.test_error}


def _scored(store: TrialStore, trial: Trial) -> str:
    """What a trial scored, with half of its 95% interval; and where an ability is kept, of which examples that is."""
    goal, answers = Goal(store.begun.keep), store.answers(trial.number)

    def told(own: Answers) -> str:
        return f"{own.score:.3f} ± {Z95 * error_of_mean(own.scores):.3f} (95%)" if len(own) > 1 else f"{own.score:.3f}"

    scored = f"it scored {told(goal.improved(answers))}"
    if goal.keep is None or (kept := goal.kept(answers)) is None:
        return f"{scored}."
    return f"{scored} without those of category {goal.keep.category}, and {told(kept)} on these."
