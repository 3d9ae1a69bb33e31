"""Evaluators by kind, on the shipped pair."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.base import Informed, checked
from hpo_bench.evaluation.command import KILL_WITH_PARENT
from hpo_bench.evaluation.examples import Example, write_examples
from hpo_bench.evaluation.generation import Loops
from hpo_bench.evaluation.options import without_secrets
from hpo_bench.evaluation.python_function import PythonFunction
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.evaluation.registry import EVALUATORS, check_options, open_evaluator, read_benchmark
from hpo_bench.merging.engine.mergekit import merge
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.recording.record import record
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.options import RunOptions
from hpo_bench.tuning.run import check
from optimizers.errors import is_ours


def with_evaluation(pair: Pair, **evaluation: Any) -> Pair:
    return replace(pair, evaluation=evaluation)


@pytest.fixture
def merged(loaded: LoadedPair) -> LoadedPair:
    loaded.write_language(merge(loaded, MergeSetting("ta", 0.6, 0.8), mask_seed=0))
    return loaded


def test_default_is_exact_match_on_the_pair_s_examples(small_pair: Pair, merged: LoadedPair) -> None:
    evaluator = open_evaluator(small_pair, merged)
    sides = [evaluator.examples("validation"), evaluator.examples("test")]
    assert sum(map(len, sides)) == 40
    assert {e.split for e in sides[0]} == {"validation"}
    assert 0 < evaluator.evaluate(merged.vlm, sides[1]).score < 1


def test_generated_answers_score_as_teacher_forced_ones(small_pair: Pair, merged: LoadedPair) -> None:
    forced = open_evaluator(small_pair, merged)
    generated = open_evaluator(with_evaluation(small_pair, generate=True, batch_size=7, max_new_tokens=24), merged)
    examples = forced.examples("test")
    outcome = generated.evaluate(merged.vlm, examples)
    assert outcome.scores.tolist() == forced.evaluate(merged.vlm, examples).scores.tolist()
    assert len(outcome.responses) == len(examples)
    alone = generated.evaluate(merged.vlm, examples[3:4])
    assert alone.responses == outcome.responses[3:4], "an answer must not depend on its batch"


def test_endless_answers_are_cut_and_a_model_of_them_is_a_failure(small_pair: Pair, loaded: LoadedPair) -> None:
    loaded.write_language(merge(loaded, MergeSetting("ta", 1.0, 0.0), mask_seed=0))
    head = loaded.vlm.get_output_embeddings().weight
    evaluator = open_evaluator(with_evaluation(small_pair, metric="contains", max_new_tokens=200), loaded)
    with torch.no_grad():
        # One word is always the most likely.
        states = loaded.vlm.get_output_embeddings()
        handle = states.register_forward_hook(lambda *a: a[2].index_fill(-1, torch.tensor([50]), 1e4))
    try:
        with pytest.raises(EvaluationError, match="repeat themselves without end") as caught:
            evaluator.evaluate(loaded.vlm, evaluator.examples("test")[:8])
    finally:
        handle.remove()
    assert caught.value.kind == "endless"
    assert torch.isfinite(head).all()


def test_loops_are_found_and_ended_answers_left_alone() -> None:
    loops = Loops(1, [0], most=10)
    tokens = torch.tensor([[9, *[5, 6] * 5], [9, *[7, 0, 0, 0, 0] * 2], [9, *range(20, 30)]])
    assert loops(tokens, None).tolist() == [True, False, False]
    assert Loops(1, [0], most=10)(tokens[:, :5], None).tolist() == [False] * 3


def test_json_lines_are_read_with_pictures(small_pair: Pair, merged: LoadedPair) -> None:
    known = read_examples(small_pair.examples)[:12]
    lines = []
    for number, example in enumerate(known):
        names = [f"{number}-{place}.png" for place in range(len(example.images))]
        for name, data in zip(names, example.images, strict=True):
            (small_pair.folder / name).write_bytes(data)
        line = {"id": example.id, "question": example.question, "answer": example.answer, "images": names}
        lines.append(json.dumps({**line, "category": example.category}))
    (small_pair.folder / "mine.jsonl").write_text("\n".join(lines))
    assert read_examples(small_pair.folder / "mine.jsonl") == known
    evaluator = open_evaluator(with_evaluation(small_pair, examples="mine.jsonl"), merged)
    assert sum(len(evaluator.examples(split)) for split in ("validation", "test")) == 12


TERMS = {"model": "m", "price_in": 1, "price_out": 1, "max_dollars": 1}


@pytest.mark.parametrize(
    ("evaluation", "message"),
    [
        ({"batchsize": 3}, "did you mean 'batch_size'"),
        ({"generate": "yes"}, "generate must be true or false, not 'yes'"),
        ({"metric": "judge", "judge": {"url": "https://x", "modell": "m"}}, "'modell' in judge; did you mean 'model'"),
        (
            {"metric": "judge", "judge": {"url": "https://judge/v1", **TERMS, "scal": 5}},
            "there is no key 'scal' in judge; did you mean 'scale'",
        ),
        ({"kind": "python", "function": "a:b", "colour": 1}, "there is no key 'colour'"),
        ({"kind": "command", "command": ["true"], "second": 4}, "did you mean 'seconds'"),
        ({"kind": "command", "command": ["no-such-program"]}, "which is no program here"),
        ({"kind": "lmms-eval", "tasks": "mmmu", "id_filed": "id"}, "did you mean 'id_field'"),
        ({"kind": "lmms-eval", "tasks": "mmmu", "worst": 2}, "not above worst"),
    ],
)  # fmt: skip
def test_options_are_read_before_a_model_is_loaded(
    small_pair: Pair, monkeypatch: pytest.MonkeyPatch, evaluation: dict, message: str
) -> None:
    """And before anybody is asked, a cache made, or a program run."""
    monkeypatch.setattr(LoadedPair, "load", None)
    monkeypatch.setattr("hpo_bench.evaluation.judging.judge.Judge.ready", None)
    pair = with_evaluation(small_pair, **evaluation)
    config = StudyConfig.of(pair, optimizer="random")
    with pytest.raises(UsageError, match=message):
        check(pair, config, RunOptions(studies=small_pair.folder / "tuning"))
    with pytest.raises(UsageError, match=message):
        record(pair, "ta", small_pair.folder / "out")


def test_the_examples_that_an_evaluation_names_are_those_of_the_pair(small_pair: Pair) -> None:
    write_examples(read_examples(small_pair.examples)[:12], small_pair.folder / "mine.parquet")
    pair = with_evaluation(small_pair, examples="mine.parquet")
    examples = read_benchmark(pair)
    assert examples is not None
    assert len(examples) == 12
    assert list(pair.file_hashes()["examples"]) == ["mine.parquet"], "other examples make another study"
    assert read_benchmark(with_evaluation(small_pair, kind="lmms-eval", tasks="mmmu")) is None
    with pytest.raises(UsageError, match=r"every response to .* would be wrong"):
        read_benchmark(with_evaluation(small_pair, metric="numeric"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "line 1: is not JSON"),
        ('{"question": "?"}', "has no column 'answer'"),
        ('{"question": "?", "answer": "!", "categry": 1}', "did you mean 'category'"),
        ('{"question": "?", "answer": "!", "image": "../x.png"}', "leads out of the folder"),
        ('{"question": "<image>", "answer": "!"}', r"1 times <image> in the question, but 0 pictures \(`image`"),
        (
            '{"id": "a", "question": "?", "answer": "!"}\n{"id": "a", "question": "?", "answer": "!"}',
            "has the id of line 1",
        ),
    ],
)
def test_lines_without_sense_are_refused(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "mine.jsonl").write_text(line)
    with pytest.raises(UsageError, match=message):
        read_examples(tmp_path / "mine.jsonl")


@pytest.mark.parametrize(
    ("evaluation", "message"),
    [
        ({"kind": "locl"}, "did you mean 'local'.*or give module:function, one of your own"),
        ({"knd": "local"}, "did you mean 'kind'"),
        ({"kind": ["local"]}, "no evaluation is of kind"),
        ({"metric": "numeric"}, "every response to .* would be wrong"),
        ({"examples": ["examples.parquet"]}, "examples must be text"),
        ({"metric": "exact"}, "did you mean 'exact_match'"),
        ({"batchsize": 3}, "did you mean 'batch_size'"),
        ({"batch_size": 0}, "at least 1"),
        ({"metric": "contains", "generate": False}, "generate must be true"),
        ({"examples": "../outside.parquet"}, "leads out of"),
        ({"kind": "python", "function": "nowhere:none"}, "no function at"),
        ({"kind": "command"}, "command is missing"),
        ({"kind": "command", "command": []}, "command must be a list of at least 1"),
        ({"kind": "command", "command": "no-such-program-here"}, "which is no program here"),
        ({"kind": "command", "command": "sh", "seconds": float("inf")}, "seconds must be a finite number"),
        ({"kind": "command", "command": "sh", "seconds": 0}, "seconds must be at least 0.1, not 0"),
        ({"batch_size": 1 << 20_000}, "holds what no file can"),
        ({"metric": "contains", "stop": 3}, "stop must be a list, not 3"),
        ({"judge": {"url": "https://x", **TERMS}}, "judge is about the metric judge; say `metric: judge`"),
        ({"metric": "judge", "judge": {"url": "ftp://x", **TERMS}}, "judge: url must begin with http"),
        ({"metric": "judge"}, "the metric judge asks a model: say which, and what it may cost, under `judge`"),
        (
            {"metric": "judge", "judge": {"model": "m", "price_in": 1}},
            r"judge\.price_out, judge\.max_dollars, judge\.url are",
        ),
    ],
)
def test_sections_without_sense_are_refused(
    small_pair: Pair, loaded: LoadedPair, evaluation: dict, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        open_evaluator(with_evaluation(small_pair, **evaluation), loaded)


FUNCTIONS = """
def score(model, processor, examples):
    return {"scores": [len(e.answer) % 2 for e in examples], "responses": [e.answer for e in examples], "dollars": 0.5}

def nothing(model, processor, examples):
    return "well done"
"""


def test_an_evaluator_of_ones_own_lies_beside_the_pair(
    small_pair: Pair, loaded: LoadedPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (small_pair.folder / "my_kind_for_tests.py").write_text(
        "from types import SimpleNamespace\n"
        "def open_kind(pair, loaded, options): return SimpleNamespace(examples=list, evaluate=list, **options)\n"
    )
    own = with_evaluation(small_pair, kind="my_kind_for_tests:open_kind", colour="red")
    check_options(own)
    assert vars(open_evaluator(own, loaded))["colour"] == "red"
    with pytest.raises(UsageError, match="no attribute 'open_knd'; did you mean 'open_kind'"):
        check_options(with_evaluation(small_pair, kind="my_kind_for_tests:open_knd"))


OWN_KIND = """
from dataclasses import dataclass
from types import SimpleNamespace

from hpo_bench.evaluation.options import EvaluatorKind, read_section

@dataclass(frozen=True, slots=True)
class Own:
    colour: str = "red"

@EvaluatorKind
def open_kind(pair, options):
    given = read_section(pair, options, Own)
    return lambda loaded: SimpleNamespace(examples=list, evaluate=list, told=given.colour, loaded=loaded)
"""


def test_a_kind_of_ones_own_may_refuse_options_before_a_model_is_loaded(
    small_pair: Pair, loaded: LoadedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (small_pair.folder / "my_early_kind_for_tests.py").write_text(OWN_KIND)
    own = with_evaluation(small_pair, kind="my_early_kind_for_tests:open_kind", colour="blue")
    check_options(own)
    opened = vars(open_evaluator(own, loaded))
    assert (opened["told"], opened["loaded"]) == ("blue", loaded)
    assert not is_ours(EVALUATORS.get("my_early_kind_for_tests:open_kind")), "so that its faults are told as its own"
    with pytest.raises(UsageError, match="did you mean 'colour'"):
        check_options(with_evaluation(small_pair, kind="my_early_kind_for_tests:open_kind", color="blue"))


def test_python_functions_score(small_pair: Pair, loaded: LoadedPair) -> None:
    (small_pair.folder / "my_scores_for_tests.py").write_text(FUNCTIONS)
    evaluator = open_evaluator(with_evaluation(small_pair, kind="python", function="my_scores_for_tests:score"), loaded)
    examples = evaluator.examples("test")
    outcome = evaluator.evaluate(loaded.vlm, examples)
    assert outcome.scores.tolist() == [len(e.answer) % 2 for e in examples]
    assert (outcome.responses[0], outcome.dollars) == (examples[0].answer, 0.5)
    broken = open_evaluator(with_evaluation(small_pair, kind="python", function="my_scores_for_tests:nothing"), loaded)
    with pytest.raises(EvaluationError, match="no scores") as caught:
        broken.evaluate(loaded.vlm, examples)
    assert caught.value.kind == "nonsense"


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("raise RuntimeError('no luck\\nat all')", "RuntimeError: no luck$"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError"),
        ("score = 'text'", "is no function"),
    ],
)
def test_modules_that_raise_when_they_are_imported_are_refused(
    small_pair: Pair, loaded: LoadedPair, tmp_path: Path, module: str, message: str
) -> None:
    name = f"odd_{tmp_path.name}".replace("-", "_")
    (small_pair.folder / f"{name}.py").write_text(module)
    with pytest.raises(UsageError, match=message):
        open_evaluator(with_evaluation(small_pair, kind="python", function=f"{name}:score"), loaded)


@pytest.mark.parametrize(
    "returned",
    [
        {"scores": None},
        {"scores": 0.5, "responses": "abc"},
        {"scores": [0.5], "responses": {"a": "x"}},
        {"scores": [0.5], "dollars": "much"},
        {},
        ["x"],
        10**400,
    ],
)
def test_what_is_no_scores_is_a_failure(loaded: LoadedPair, returned: Any) -> None:
    examples = [Example("a", "", "?", (), "a")]
    with pytest.raises(EvaluationError) as caught:
        checked(PythonFunction(lambda *_: returned, None, ()).evaluate(loaded.vlm, examples), examples)
    assert caught.value.kind == "nonsense"


def test_a_function_that_returns_nothing_is_told_so(loaded: LoadedPair) -> None:
    with pytest.raises(EvaluationError, match=r"the function returned None, which .*nothing was returned"):
        PythonFunction(lambda *_: None, None, ()).evaluate(loaded.vlm, [Example("a", "", "?", (), "a")])


def test_secrets_are_not_published() -> None:
    asked = {"judge": {"api_key": "x", "key_variable": "K", "max_tokens": 3}, "parameters": [{"hub_token": "x"}]}
    assert without_secrets(asked) == {
        "judge": {"api_key": "***", "key_variable": "K", "max_tokens": 3},
        "parameters": [{"hub_token": "***"}],
    }
    program = ["./judge", "--api-key", "x9", "--api-key=x9", "Authorization: Bearer x9", "HF_TOKEN=x9", "--n", "3"]
    asked = {"command": program, "parameters": {"accessToken": "x9", "X-Auth": "x9", "url": "http://h?api-key=x9"}}
    shown = without_secrets(asked)
    assert "x9" not in str(shown)
    assert shown["command"][-2:] == ["--n", "3"]
    assert without_secrets(shown) == shown
    kept = {"pad_token_id": 0, "text": "unexpected token: x9, pad_token=x9, max_tokens=5, basic understanding"}
    assert without_secrets(kept) == kept


PROGRAM = """
import json, pathlib, sys, time
model, ask = pathlib.Path(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text())
assert (model / "model.safetensors").stat().st_size > 1e6 and (model / "config.json").exists()
assert json.loads((model / "generation_config.json").read_text())["temperature"] == 0.9
how = ask["parameters"]["how"]
assert ask["merge"] == {"method": "ta", "vl_weight": 0.5, "exp_weight": 0.8}
if how == "hang": time.sleep(60)
if how == "fail": sys.exit("no luck")
print("chatter")
print(json.dumps({"scores": {one: 0.25 for one in ask["ids"]}}) if how == "well" else "0.7")
"""


@pytest.mark.parametrize(("how", "kind"), [("well", ""), ("hang", "timeout"), ("fail", "raised"), ("odd", "nonsense")])
def test_commands_get_the_merged_model(
    small_pair: Pair, loaded: LoadedPair, monkeypatch: pytest.MonkeyPatch, how: str, kind: str
) -> None:
    own = loaded.vlm.generation_config
    monkeypatch.setattr(own, "temperature", 0.9)  # and samples nothing, as LLaVA's says, and transformers never saves
    (small_pair.folder / "score.py").write_text(PROGRAM)
    section = {
        "command": [sys.executable, "score.py"],
        "parameters": {"how": how},
        "seconds": 2 if kind == "timeout" else 60,
    }
    evaluator = open_evaluator(with_evaluation(small_pair, kind="command", **section), loaded)
    assert isinstance(evaluator, Informed)
    evaluator.inform(MergeSetting("ta", 0.5, 0.8))
    examples = evaluator.examples("validation")
    if not kind:
        assert evaluator.evaluate(loaded.vlm, examples).scores.tolist() == [0.25] * len(examples)
        assert loaded.vlm.generation_config is own
        return
    with pytest.raises(EvaluationError) as caught:
        evaluator.evaluate(loaded.vlm, examples)
    assert caught.value.kind == kind


def test_a_script_and_a_place_are_those_of_the_pair_s_folder(
    small_pair: Pair, loaded: LoadedPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loaded.vlm.generation_config, "temperature", 0.9)
    script, room = small_pair.folder / "evaluate.py", small_pair.folder / "room"
    script.write_text(f"#!{sys.executable}\n{PROGRAM}")
    for word in ("evaluate.py", "./evaluate.py"):
        named = with_evaluation(
            small_pair, kind="command", command=[word], parameters={"how": "well"}, scratch="room", seconds=60
        )
        script.chmod(0o644)
        with pytest.raises(UsageError, match=r"may not be executed: .*chmod \+x"):
            check_options(named)
        script.chmod(0o755)
        if word == "evaluate.py":
            with pytest.raises(UsageError, match="scratch is 'room', which is no folder in"):
                check_options(named)
            room.mkdir()
        evaluator = open_evaluator(named, loaded)
        assert isinstance(evaluator, Informed)
        evaluator.inform(MergeSetting("ta", 0.5, 0.8))
        examples = evaluator.examples("validation")[:2]
        assert evaluator.evaluate(loaded.vlm, examples).scores.tolist() == [0.25, 0.25]
    assert not list(room.iterdir())


ENDLESS = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {child.pid}")
time.sleep(60)
"""
OWNER = """
import os, subprocess, sys, time
reading, writing = os.pipe()
subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=reading)
time.sleep(60)
"""


def test_a_command_and_its_children_end_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS)
    (tmp_path / "model").mkdir()
    words = [sys.executable, str(tmp_path / "endless.py"), str(tmp_path / "pids")]
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(KILL_WITH_PARENT), str(tmp_path / "model"), *words])
    pids: list[int] = []
    end = time.monotonic() + 60
    while len(pids) < 2 and time.monotonic() < end:
        time.sleep(0.05)
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()] if (tmp_path / "pids").exists() else []
    owner.kill()
    owner.wait()
    while any(map(running, pids)) or (tmp_path / "model").exists():
        assert time.monotonic() < end, "the program outlived its worker"
        time.sleep(0.05)
    assert len(pids) == 2


def running(pid: int) -> bool:
    """Whether a process lives; one that ended and that nobody waited for does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_scores_are_the_same_after_running_out_of_memory(small_pair: Pair, merged: LoadedPair) -> None:
    evaluator: Any = open_evaluator(small_pair, merged)
    examples = evaluator.examples("test")
    whole = evaluator.evaluate(merged.vlm, examples).scores
    evaluator.batch_size = 5
    assert np.array_equal(evaluator.evaluate(merged.vlm, examples).scores, whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stop": ["\n"]}, r"stop is about generated answers; say `generate: true`"),
        ({"strip_thinking": True}, r"strip_thinking is about generated answers"),
        ({"attention": "telepathy"}, r"attention cannot be 'telepathy' here"),
        ({"enable_thinking": False}, r"`enable_thinking` under `evaluation` changes nothing"),
    ],
)
def test_chat_options_that_change_nothing_are_refused(
    small_pair: Pair, merged: LoadedPair, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        open_evaluator(with_evaluation(small_pair, **options), merged)


def test_attention_is_computed_as_asked(small_pair: Pair, merged: LoadedPair) -> None:
    before = merged.vlm.config._attn_implementation
    try:
        open_evaluator(with_evaluation(small_pair, attention="eager"), merged)
        assert merged.vlm.config._attn_implementation == "eager"
        assert merged.vlm.config.text_config._attn_implementation == "eager"
    finally:
        merged.vlm.set_attn_implementation(before)
