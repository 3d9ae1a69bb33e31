"""The kind `lmms-eval` on a machine without the package."""

import sys
from dataclasses import replace

import pytest

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair


def test_without_the_package_one_line_says_how_to_get_it(
    shipped: Pair, loaded: LoadedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "lmms_eval"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lmms_eval", None)
    pair = replace(shipped, evaluation={"kind": "lmms-eval", "tasks": "cmmmu_val"})
    with pytest.raises(UsageError, match=r"pip install 'hpo-bench\[lmms\]'") as caught:
        open_evaluator(pair, loaded)
    assert len(str(caught.value).splitlines()) == 1
