"""The base VLM is asked before any trial: what is asked is shown, and what cannot be asked ends the study at once."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import optuna
import pytest
from click.testing import CliRunner
from tuning_toys import in_this_process

from hpo_bench.cli import cli
from hpo_bench.display.console import PlainConsole
from hpo_bench.errors import TuningError, UsageError
from hpo_bench.evaluation.examples import write_examples
from hpo_bench.evaluation.metrics import scoring_version
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.options import RunOptions
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.planning.questions import FILE
from hpo_bench.tuning.run import dry_run, run
from hpo_bench.tuning.storage.store import TrialStore

TITLE = "Before the first trial: the base VLM on 8 validation examples"
FUNCTIONS = """
def breaks(model, processor, examples):
    raise RuntimeError("no such metric")

def by_company(model, processor, examples):
    return [1.0 / len(examples)] * len(examples)

def by_place(model, processor, examples):
    return [0.0, *[1.0] * (len(examples) - 1)]
"""


@pytest.fixture
def ask(small_pair: Pair, tmp_path: Path) -> Callable[..., tuple[str, TrialStore]]:
    """Tunes the small pair for two trials; gives what was printed and the study."""

    def tune(trials: int = 2, **evaluation: Any) -> tuple[str, TrialStore]:
        pair = replace(small_pair, evaluation=evaluation)
        config = StudyConfig.of(pair, optimizer="random")
        options = RunOptions(trials=trials, studies=tmp_path / "tuning", study="mine")
        printed = StringIO()
        console = PlainConsole(file=printed, width=300)
        invocation = Invocation(str(pair.folder), str(pair.folder), ("hpo-bench",))
        try:
            run(pair, config, options, console=console, invocation=invocation, open_pool=in_this_process(pair))
        finally:
            store = TrialStore(tmp_path / "tuning" / "mine", "mine")
        return printed.getvalue(), store

    return tune


def prompts(folder: Path) -> Path:
    return folder / "vlm" / "chat_template.jinja"


def test_prompts_right_answers_and_answers_are_shown_once(
    ask: Callable[..., tuple[str, TrialStore]], small_pair: Pair
) -> None:
    printed, store = ask()
    assert f"{TITLE}, asked through the processor's chat template" in printed
    assert printed.index(TITLE) < printed.index("scoring ")
    assert "<image> これは" in printed
    assert len(store.trials()) == 2
    assert TITLE not in ask(trials=3)[0], "nothing changed, and it was asked again"
    path = prompts(small_pair.folder)
    path.write_text(path.read_text() + "{# as before #}")
    assert TITLE in ask(trials=4)[0]
    path.write_text("Question: " + path.read_text())
    with pytest.raises(TuningError, match=r"is now asked as 'Question: <image> .* in the study's trials; put"):
        ask(trials=5)


def test_answers_are_shown_where_nothing_differs_and_only_scores_are_kept(
    ask: Callable[..., tuple[str, TrialStore]], small_pair: Pair
) -> None:
    printed, store = ask()
    result = TuningResult.read(store.folder)
    assert result is not None
    assert not store.answers(0).responses, "one teacher-forced pass tells scores alone"
    assert not result.distinguished
    assert len(result.examples) == 5
    assert any(example.base for example in result.examples)  # some are empty, as the model ends its turn at once
    for example in result.examples:
        assert f"{example.id}: base VLM {example.base!r} (" in printed or not example.base
        assert f", merge {example.merge!r} (" in printed or not example.merge


def test_a_missing_template_is_told(ask: Callable[..., tuple[str, TrialStore]], small_pair: Pair) -> None:
    prompts(small_pair.folder).unlink()
    assert f"{TITLE}, asked as bare texts with <image> for a picture, as the processor has no chat" in ask()[0]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            "breaks",
            "cannot be evaluated, and so no merge can: raised: RuntimeError: no such metric; no trial was begun",
        ),
        ("by_company", "company: 8 of 8 examples are answered otherwise in a batch than by themselves, such as"),
        ("by_place", r"company: 7 of 8 examples are answered otherwise .* one example at a time, or mend it"),
    ],
)
def test_what_no_merge_could_mend_ends_the_study_before_a_trial(
    ask: Callable[..., tuple[str, TrialStore]], small_pair: Pair, tmp_path: Path, function: str, message: str
) -> None:
    (small_pair.folder / "my_rehearsed_scores.py").write_text(FUNCTIONS)
    with pytest.raises(TuningError, match=message):
        ask(kind="python", function=f"my_rehearsed_scores:{function}")
    store = TrialStore(tmp_path / "tuning" / "mine", "mine", existing=True)
    assert store.trials() == []
    assert not (store.folder / FILE).exists()
    assert (store.folder / "logs" / "preflight.log").stat().st_size


def test_a_template_that_cannot_be_used_ends_it_as_well(
    ask: Callable[..., tuple[str, TrialStore]], small_pair: Pair
) -> None:
    prompts(small_pair.folder).write_text("{{ raise_exception('not for you') }}")
    with pytest.raises(UsageError, match="cannot be rendered: TemplateError: not for you"):
        ask()


def test_a_dry_run_asks_and_leaves_nothing(small_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    opened = in_this_process(small_pair)
    monkeypatch.setattr("hpo_bench.tuning.workers.processes.ProcessPool", lambda *_, logs, **__: opened(logs, ()))
    before = sorted(tmp_path.rglob("*"))
    ended = CliRunner().invoke(cli, ["tune", str(small_pair.folder), "--dry-run"])
    assert ended.exit_code == 0, ended.output
    assert "Without tuning, on 8 validation examples" in ended.output
    assert "nothing was tried" in ended.output
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_refuses_what_the_study_would(ask: Callable[..., tuple[str, TrialStore]], small_pair: Pair) -> None:
    _, store = ask()
    other = StudyConfig.of(small_pair, methods=("ties",), optimizer="random")
    options = RunOptions(studies=store.folder.parent, study="mine")
    with pytest.raises(TuningError, match=r"other --method \(ta then"):
        dry_run(small_pair, other, options, console=PlainConsole(quiet=True), open_pool=in_this_process(small_pair))


def test_one_example_that_cannot_be_asked_ends_a_study_before_any_trial(
    ask: Callable[..., tuple[str, TrialStore]], small_pair: Pair, tmp_path: Path
) -> None:
    path, template = small_pair.examples, prompts(small_pair.folder)
    assert path is not None
    last = max((one for one in read_examples(path) if one.split == "test"), key=lambda one: one.id)
    others = [one for one in read_examples(path) if one.id != last.id]
    write_examples([*others, replace(last, question=f"{last.question} rare")], path)
    guard = "{% if ' rare' in messages | string %}{{ raise_exception('not this') }}{% endif %}"
    template.write_text(guard + template.read_text())
    with pytest.raises(
        TuningError, match=rf"1 of 40 examples cannot be asked: example '{last.id}'.*TemplateError: not"
    ):
        ask()
    assert not TrialStore(tmp_path / "tuning" / "mine", "mine", existing=True).trials()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://localhost", "redis"),
        ("sqlite:///{}/nowhere/x.db", "there is no folder"),
        ("sqlite:///{}", "unable to open database file"),
    ],
)
def test_a_dry_run_refuses_a_storage_that_cannot_be_opened(
    small_pair: Pair, tmp_path: Path, url: str, message: str
) -> None:
    config = StudyConfig.of(small_pair, optimizer="random")
    options = RunOptions(studies=tmp_path / "tuning", storage=url.format(tmp_path))
    with pytest.raises(TuningError, match=f"cannot be opened: .*{message}"):
        dry_run(small_pair, config, options, console=PlainConsole(quiet=True), open_pool=in_this_process(small_pair))


@pytest.mark.parametrize("shared", [True, False])
def test_a_dry_run_refuses_another_program_s_study(small_pair: Pair, tmp_path: Path, shared: bool) -> None:
    config = StudyConfig.of(small_pair, optimizer="random")
    folder = tmp_path / "tuning" / "mine"
    folder.mkdir(parents=True)
    url = f"sqlite:///{tmp_path / 'shared.db' if shared else folder / 'study.sqlite3'}"
    optuna.create_study(storage=url, study_name="mine", direction="minimize")
    options = RunOptions(studies=tmp_path / "tuning", study="mine", storage=url if shared else None)
    for what in (dry_run, partial(run, invocation=Invocation("p", "p", ()))):
        with pytest.raises(TuningError, match="was not made by hpo-bench and is to minimize; name another"):
            what(small_pair, config, options, console=PlainConsole(quiet=True), open_pool=refuse)


def test_a_dry_run_refuses_answers_that_a_storage_knows_nothing_of(small_pair: Pair, tmp_path: Path) -> None:
    config = StudyConfig.of(small_pair, optimizer="random")
    (tmp_path / "tuning" / "mine" / "trials").mkdir(parents=True)
    (tmp_path / "tuning" / "mine" / "trials" / "0000.parquet").touch()
    options = RunOptions(studies=tmp_path / "tuning", study="mine", storage=f"sqlite:///{tmp_path / 'new.db'}")
    with pytest.raises(TuningError, match=r"holds the answers of 1 trials, and .* knows no study of theirs"):
        dry_run(small_pair, config, options, console=PlainConsole(quiet=True), open_pool=refuse)
    assert not (tmp_path / "new.db").exists()


def refuse(*_: object) -> Any:
    raise AssertionError("workers were opened")


def test_a_template_that_opens_thoughts_is_told(ask: Callable[..., tuple[str, TrialStore]], small_pair: Pair) -> None:
    template = prompts(small_pair.folder)
    template.write_text(template.read_text() + "{% if add_generation_prompt %}{{ '<think>\\n' }}{% endif %}")
    assert "Note: the chat template opens thoughts (<think>) before the answer" in ask()[0]


def test_another_backend_does_not_go_on_with_a_study(
    ask: Callable[..., tuple[str, TrialStore]], small_pair: Pair
) -> None:
    _, store = ask()
    told = json.loads((store.folder / FILE).read_text())
    assert told["backend"] == {"device": "cpu", "dtype": "float32", "attention": "sdpa", "batch_size": "128"}
    told |= {"key": "of another device", "backend": {**told["backend"], "device": "NVIDIA H100", "batch_size": "16"}}
    (store.folder / FILE).write_text(json.dumps(told))
    with pytest.raises(
        TuningError, match=r"made with device NVIDIA H100 \(now cpu\), batch_size 16 \(now 128\), and"
    ) as e:
        ask(trials=3)
    assert "--device, `dtype` under `merge`, `attention` and `batch_size` under `evaluation`" in str(e.value)


def test_scores_of_another_reading_of_answers_are_not_gone_on_with(
    ask: Callable[..., tuple[str, TrialStore]], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = StudyConfig.as_dict
    with monkeypatch.context() as then:
        then.setattr(
            StudyConfig, "as_dict", lambda self: {k: v for k, v in written(self).items() if k != "scoring_version"}
        )
        ask(metric="contains")
    now = scoring_version("contains")
    with pytest.raises(TuningError, match=rf"begun with other version of the metric \(1 then, {now} now\); ask for"):
        ask(metric="contains")


def test_what_changed_in_an_evaluation_is_named(ask: Callable[..., tuple[str, TrialStore]]) -> None:
    ask(batch_size=64)
    with pytest.raises(TuningError, match=r"begun with other evaluation\.batch_size \(64 then, 32 now\); ask for"):
        ask(batch_size=32)
