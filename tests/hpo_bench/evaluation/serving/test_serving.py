"""A serving engine that is handed merges: followed, checked, and never believed where it is stale."""

import ast
import re
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.base import Batched
from hpo_bench.evaluation.preflight import run_preflight
from hpo_bench.evaluation.registry import check_options, open_evaluator
from hpo_bench.evaluation.serving import process
from hpo_bench.evaluation.serving.process import PYTHON, find_python
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.find import find_pair
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.trial import Failure, Job
from hpo_bench.tuning.workers.session import PairSession

FAKE = Path(__file__).with_name("fake_engine.py")
ONE, OTHER = MergeSetting("ta", 0.5, 0.5), MergeSetting("ta", 0.2, 1.0)


@pytest.fixture(scope="module")
def loaded() -> LoadedPair:
    return LoadedPair.load(find_pair("ja-llama"))


@pytest.fixture(scope="module")
def resident(loaded: LoadedPair) -> Resident:
    return Resident(loaded)


@pytest.fixture
def opened(loaded: LoadedPair, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Opens the evaluator on the fake engine, which does something wrong."""
    monkeypatch.setattr(process, "SERVER", FAKE)
    monkeypatch.setattr(process, "PACKAGE", "numpy")
    monkeypatch.setenv(PYTHON, sys.executable)
    made = []

    def make(wrong: str = "", **options: Any) -> Any:
        monkeypatch.setenv("FAKE", wrong)
        pair = replace(find_pair("ja-llama"), evaluation={"kind": "vllm", "max_new_tokens": 4, **options})
        made.append(open_evaluator(pair, loaded))
        return made[-1]

    yield make
    for one in made:
        one.served.end()


def test_answers_follow_the_weights(opened: Any, loaded: LoadedPair, resident: Resident) -> None:
    evaluator = opened()
    some = evaluator.examples("validation")[:6]
    resident.merge(ONE)
    first = evaluator.evaluate(loaded.vlm, some)
    assert evaluator.evaluate(loaded.vlm, some).responses == first.responses
    resident.merge(OTHER)
    assert evaluator.evaluate(loaded.vlm, some).responses != first.responses
    resident.merge(ONE)
    assert evaluator.evaluate(loaded.vlm, some).responses == first.responses
    loaded.vlm.get_output_embeddings().weight.data.mul_(2)  # behind the back of PyTorch's count of writes
    doubled = evaluator.evaluate(loaded.vlm, some).responses
    assert doubled != first.responses
    loaded.vlm.get_output_embeddings().weight.data.mul_(0.5)
    assert evaluator.evaluate(loaded.vlm, some).responses == first.responses
    assert evaluator.backend == {"engine": "vLLM 0", "device": "cpu", "dtype": "bfloat16"}


@pytest.mark.parametrize(
    ("wrong", "said"), [("stale", "answers with other weights"), ("forgets no prefix", "remembers 32 tokens")]
)
def test_a_stale_engine_gives_no_score(
    wrong: str, said: str, opened: Any, loaded: LoadedPair, resident: Resident
) -> None:
    evaluator = opened(wrong)
    some = evaluator.examples("validation")[:2]
    resident.merge(ONE)
    evaluator.evaluate(loaded.vlm, some)
    resident.merge(OTHER)
    for _ in range(2):  # and none when asked again
        with pytest.raises(EvaluationError, match=said) as caught:
            evaluator.evaluate(loaded.vlm, some)
        assert caught.value.kind == "stale"


@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [
        ("dies", "worker-died", "with exit code 3: the fake is out of order"),
        ("hangs", "timeout", "longer than 2 s"),
        ("nan", "nan-logits", "not finite"),
    ],
)
def test_an_engine_that_fails_is_a_failure_and_opened_again(
    wrong: str, kind: str, said: str, opened: Any, loaded: LoadedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluator = opened(wrong, seconds=2)
    some = evaluator.examples("validation")[:2]
    with pytest.raises(EvaluationError, match=said) as caught:
        evaluator.evaluate(loaded.vlm, some)
    assert caught.value.kind == kind
    if wrong != "nan":
        monkeypatch.setenv("FAKE", "")
        assert len(evaluator.evaluate(loaded.vlm, some).responses) == 2


def test_answers_that_depend_on_company_are_refused_with_a_cure_that_there_is(opened: Any, loaded: LoadedPair) -> None:
    evaluator = opened("company")
    with pytest.raises(
        EvaluationError, match=r"give `batch_invariant: true` .* or `engine: {max_num_seqs: 1}`"
    ) as caught:
        run_preflight(evaluator, loaded.vlm, partial(evaluator.evaluate, loaded.vlm))
    assert caught.value.kind == "company"


def test_at_the_start_it_is_shown_how_far_answers_are_those_of_generate(opened: Any, loaded: LoadedPair) -> None:
    evaluator = opened()
    told = run_preflight(evaluator, loaded.vlm, partial(evaluator.evaluate, loaded.vlm))
    assert any(
        re.search(r"^8 of 8 answers differ from those of transformers' generate, such as", note) for note in told.notes
    )
    assert told.backend["engine"] == "vLLM 0"


def test_without_memory_it_has_failed_and_has_no_batches_to_halve(
    opened: Any, loaded: LoadedPair, resident: Resident
) -> None:
    session = PairSession(loaded.vlm, resident, opened("no memory"))
    found = session.run(Job("trial 0", ONE))
    assert isinstance(found, Failure)
    assert (found.kind, "batches" in found.reason) == ("out-of-memory", False)
    assert not isinstance(session.evaluator, Batched)


def test_what_an_engine_does_not_have_is_a_mistake_of_usage(opened: Any) -> None:
    with pytest.raises(UsageError, match="`batch_invariant` is a mode of GPUs"):
        opened("refuses", batch_invariant=True)


def test_the_engine_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time\n"
        "from pathlib import Path\n"
        "from hpo_bench.evaluation.serving import process\n"
        "process.SERVER = Path(sys.argv[1])\n"
        "one = process.EngineProcess(sys.executable, seconds=9)\n"
        "print(one._process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    sleeper = tmp_path / "sleeper.py"
    # As the real server does: it computes in one thread, and ends from another when its input does.
    source = (Path(process.__file__).with_name("serve_vllm.py")).read_text()
    listen = source[source.index("def _listen") : source.index("def main")]
    sleeper.write_text(
        "import os, queue, signal, sys, threading, time\n" + listen + "\n"
        "threading.Thread(target=_listen, args=(queue.Queue(),), daemon=True).start()\ntime.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script), str(sleeper)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < end:
        time.sleep(0.05)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_what_workers_learn_lies_where_the_server_says() -> None:
    server = Path(process.__file__).with_name("serve_vllm.py")
    module, name = re.findall(r'return "(\w+)\.(\w+)"', server.read_text())[0]
    body = ast.parse(server.with_name(f"{module}.py").read_text()).body
    (learnt,) = (one for one in body if isinstance(one, ast.ClassDef) and one.name == name)
    asked = re.findall(r'collective_rpc\("(\w+)"', server.read_text())
    assert {*asked} == {one.name for one in learnt.body if isinstance(one, ast.FunctionDef)}


def test_without_vllm_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(PYTHON, raising=False)
    monkeypatch.setattr(process, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"hpo-bench\[vllm\].*python.*HPO_BENCH_VLLM") as caught:
        check_options(replace(find_pair("ja-llama"), evaluation={"kind": "vllm"}))
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="`python` under `evaluation` is 'nowhere', which is no program"):
        find_python("nowhere", tmp_path)
    monkeypatch.setattr(process, "PACKAGE", "no_such_package")
    for path in (sys.executable, "/bin/false"):
        with pytest.raises(UsageError, match="which is no Python that has no_such_package; install it"):
            find_python(path, tmp_path)
    monkeypatch.setattr(process, "PACKAGE", "numpy")
    assert find_python(sys.executable, tmp_path) == sys.executable


def test_options_of_an_engine_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON, sys.executable)
    monkeypatch.setattr(process, "PACKAGE", "numpy")
    for option, said in (
        ({"dtype": "int8"}, "dtype must be stored or .*, not 'int8'"),
        ({"generate": True}, "no key 'generate'"),
        ({"gpu_memory": 2}, "gpu_memory must be"),
        ({"batch_size": 4}, "no key 'batch_size'"),
    ):
        with pytest.raises(UsageError, match=said):
            check_options(replace(find_pair("ja-llama"), evaluation={"kind": "vllm", **option}))
