"""The end of a study: the recommended merge and its rivals are scored on examples that nobody tuned on."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from hpo_bench.display.printing import escaped
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.examples import VALIDATION_SHARE
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.statistics.examples import error_of_difference, error_of_mean
from hpo_bench.tuning.budget import time_limit
from hpo_bench.tuning.closing import EXAMPLES, REFERENCES
from hpo_bench.tuning.goal import Goal, Keep
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.outcome import baselines, honest
from hpo_bench.tuning.outcome.distinction import LEVEL, chance_of_luck
from hpo_bench.tuning.outcome.front import hypervolumes, trade_offs
from hpo_bench.tuning.outcome.posterior import beliefs, near_optimal, recommend
from hpo_bench.tuning.outcome.result import AnsweredExample, FrontPoint, Kept, ScoredMerge, TuningResult
from hpo_bench.tuning.storage.answers import write_answers
from hpo_bench.tuning.storage.expenses import Expenses, pay
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import Failure, Job, Run, Trial, differences, plain
from hpo_bench.tuning.workers.base import WorkerPool
from hpo_bench.tuning.workers.jobs import result_of


def conclude(
    store: TrialStore,
    pool: WorkerPool,
    interrupt: Interrupt,
    *,
    beside: Mapping[str, MergeSetting] | None = None,
    timeout: float | None = None,
    rest: tuple[float, int] | None = None,
) -> TuningResult:
    """Score the recommended setting and its rivals honestly.

    That is on the test examples of the split, or cross-fitted from what the trials answered. What was scored before is
    kept in the study's folder and not scored again. What is paid for is counted there.

    Args:
        store: A study with at least one complete trial.
        pool: The workers, none of them busy.
        interrupt: Ends it when asked for.
        beside: Further settings to compare with, by name.
        timeout: Seconds that a trial may take, on validation examples; more by their share on all. By default found
            from the trials.
        rest: What the rest of the budget was expected to gain where the study was ended for that, and how many trials
            that is.

    Raises:
        TuningError: If there is nothing to recommend, or a setting cannot be scored.
        KeyboardInterrupt: If an end was asked for.
    """
    config = store.begun
    trials = store.trials()
    held = beliefs(config, trials)
    chosen = recommend(held)
    done = [trial for trial in trials if trial.score is not None]
    answers = [store.answers(trial.number) for trial in done]
    luckiest = honest.highest(done)
    settings = {"recommended": chosen.setting}
    if luckiest.number != chosen.trial.number:
        settings["highest score"] = luckiest.setting
    settings |= {**REFERENCES, **(beside or {})}
    limit = time_limit(timeout, trials)
    both = _score(store, settings, pool, interrupt, done, answers, limit)
    best, base = both["recommended"], both["base VLM"]
    goal = Goal(config.keep, None if config.keep is None else base["validation"])
    if config.examples is not None:
        for name, way in (("recommended", honest.recommended(config)), ("highest score", honest.highest)):
            if name in both:
                both[name]["test"] = honest.cross_fitted(done, answers, goal, way)
    # By setting, as what answered twice tells nothing anew: a search may have been where the base VLM is.
    seen = {trial.setting: own for trial, own in zip(done, answers, strict=True)} | {BASE: base["validation"]}
    luck = chance_of_luck([goal.improved(one) for one in seen.values()])
    near = [one for belief in held if (one := near_optimal(config, belief)) is not None]
    apart = honest.told_apart(chosen.trial, done, answers, goal)
    found = trade_offs(held) if goal.front else []
    run = partial(result_of, pool, interrupt, limit=limit, paid=partial(pay, store.folder, "scored"))
    examples = () if luck < LEVEL else _examples(chosen.setting, best, base, run)
    result = TuningResult(
        trials=sum(trial.state != "running" for trial in trials),
        recommended=chosen.trial.number,
        mean=chosen.mean,
        deviation=chosen.deviation,
        reproduced=None if config.examples is not None else _alike(best["validation"], store, chosen.trial),
        merges=tuple(_scored(name, settings[name], goal, own, best, base) for name, own in both.items()),
        near_optimal={one.method: one.extent for one in near},
        keep=config.keep,
        chance=None if config.keep is None else chosen.chance,
        front=tuple(
            FrontPoint(trial=one.trial.number, setting=plain(one.trial.setting), score=one.score, kept=one.kept)
            for one in found
            if one.best
        ),
        hypervolume=float(hypervolumes(found)[-1]) if found else None,
        luck=luck,
        examples=examples,
        tuned_on=len(best["validation"]),
        cross_fitted=config.examples is not None,
        ahead=rest and rest[0],
        further=rest[1] if rest else 0,
        told_apart=apart if np.isfinite(apart) else None,
        expenses=Expenses.read(store.folder),
    )
    # Together, as a page shows both: a study that goes on has those of before until then.
    if result.cross_fitted:
        write_answers(honest.answers_path(store.folder), best["test"])
    result.write(store.folder)
    return result


Both = dict[str, Answers]


def _score(
    store: TrialStore,
    settings: Mapping[str, MergeSetting],
    pool: WorkerPool,
    interrupt: Interrupt,
    done: Sequence[Trial],
    answers: Sequence[Answers],
    limit: float,
) -> dict[str, Both]:
    """What each merge answered, by name: validation examples, and the test examples of the split.

    Where the score is cross-fitted the former stand for both, and what a trial answered is not asked again.
    """
    wanted = list(dict.fromkeys(settings.values()))
    if (tuned_on := store.begun.examples) is None:
        scored = baselines.score(store.folder, wanted, pool, interrupt, limit=limit / VALIDATION_SHARE)
        return {name: dict(scored[setting]) for name, setting in settings.items()}
    for trial, own in zip(done, answers, strict=True):
        if trial.setting in wanted:
            write_answers(baselines.answers_path(store.folder, trial.setting, "validation"), own)
    scored = baselines.score(
        store.folder, wanted, pool, interrupt, limit=limit, splits=("validation",), tuned_on=tuned_on
    )
    own = {name: scored[setting]["validation"] for name, setting in settings.items()}
    return {name: {"validation": one, "test": one} for name, one in own.items()}


def _alike(answers: Answers, store: TrialStore, trial: Trial) -> bool:
    """Whether answers that were given again are those of the trial, by their scores."""
    return bool(np.array_equal(answers.scores, store.answers(trial.number).scores))


def _examples(setting: MergeSetting, merge: Both, base: Both, run: Run) -> tuple[AnsweredExample, ...]:
    """The first few answers to validation examples, those that scored otherwise before the others.

    What a terminal would obey, such as a NUL, is escaped: records that hold one are refused when they are read.
    """
    own, other = base["validation"], merge["validation"]
    shown = np.argsort(own.scores == other.scores, kind="stable")[:EXAMPLES]
    ids = tuple(own.ids[place] for place in shown)
    said = [_said(one, answers, ids, run) for one, answers in ((BASE, own), (setting, other))]
    return tuple(
        AnsweredExample(
            id=escaped(own.ids[place]), base_score=float(own.scores[place]), merge_score=float(other.scores[place]),
            base=escaped(said[0].get(own.ids[place], "")), merge=escaped(said[1].get(own.ids[place], "")),
        )
        for place in shown
    )  # fmt: skip


def _said(setting: MergeSetting, answers: Answers, ids: tuple[str, ...], run: Run) -> Mapping[str, str]:
    """What a merge says to some examples, by id; it is asked again where only scores are kept."""
    if answers.responses:
        return dict(zip(answers.ids, answers.responses, strict=True))
    result = run(Job("what is shown of a merge", setting, preflight=True, examples=ids))
    told = None if isinstance(result, Failure) else result.preflight
    return {one.example: one.said for one in told.answers} if told else {}  # else there are but scores to be shown


def _scored(name: str, setting: MergeSetting, goal: Goal, all_scored: Both, all_best: Both, base: Both) -> ScoredMerge:
    scored, best = ({split: goal.improved(one) for split, one in both.items()} for both in (all_scored, all_best))
    behind = differences(best["test"], scored["test"])
    return ScoredMerge(
        name=name,
        setting=plain(setting),
        validation=scored["validation"].score,
        test=scored["test"].score,
        test_error=error_of_mean(scored["test"].scores),
        behind=float(behind.mean()),
        behind_error=error_of_difference(behind),
        behind_validation=float(differences(best["validation"], scored["validation"]).mean()),
        kept=None if goal.keep is None else _kept(goal.keep, all_scored, base),
    )


def _kept(keep: Keep, scored: Both, base: Both) -> Kept:
    own, vlm = ({split: keep.sides(one)[1] for split, one in both.items()} for both in (scored, base))
    lost = differences(vlm["test"], own["test"])
    return Kept(
        validation=own["validation"].score, test=own["test"].score, lost=float(lost.mean()),
        lost_error=error_of_difference(lost),
    )  # fmt: skip
