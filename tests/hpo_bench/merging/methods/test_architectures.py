"""Every method on every architecture that is known, with SYNTHETIC random weights, tied embeddings, biases and all."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import random_models
import torch
from transformers import AutoTokenizer

from hpo_bench.evaluation.calibration import statistics as calibration
from hpo_bench.evaluation.examples import Example
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods.base import MergeMethod
from hpo_bench.merging.methods.fisher import Fisher
from hpo_bench.merging.methods.metagpt import MetaGPT
from hpo_bench.merging.methods.norm_aware import NAN
from hpo_bench.merging.methods.regmean import RegMean
from hpo_bench.merging.methods.tsv import TsvMerge
from hpo_bench.merging.methods.vectors import TaskVectors, Weights
from hpo_bench.merging.methods.wudi import Wudi
from hpo_bench.merging.pair import Pair

TEXTS = tuple(Example(f"t{i}", "skill", f"w{i} w{2 * i} w{3 * i} w7", (), f"w{i + 1} w5") for i in range(8))


@pytest.fixture(
    params=[*random_models.ARCHITECTURES, "tied qwen2_vl"], ids=[*random_models.ARCHITECTURES, "tied qwen2_vl"]
)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> LoadedPair:
    tied, _, architecture = request.param.rpartition(" ")
    folder = random_models.build(tmp_path, architecture, tied=bool(tied))
    loaded = LoadedPair.load(Pair.read(folder))
    return replace(loaded, processor=OfTexts(AutoTokenizer.from_pretrained(folder / "vlm")))


@dataclass
class OfTexts:
    """A processor for texts alone."""

    tokenizer: Any

    def __call__(self, *, text: list[str], images: None, **options: Any) -> Any:
        return self.tokenizer(text, **options)


def test_every_method_merges_every_architecture(pair: LoadedPair) -> None:
    vectors = TaskVectors.of(pair)

    def statistics(compute: Callable[..., dict[str, torch.Tensor]]) -> tuple[Weights, Weights]:
        return compute(pair, pair.tuned, TEXTS), compute(pair, pair.expert, TEXTS)

    fisher, grams = statistics(calibration.fisher), statistics(calibration.grams)
    assert set(fisher[0]) == set(pair.base)
    assert set(grams[0]) == set(vectors.linear)
    assert all(float(tensor.sum()) > 0 for name, tensor in fisher[0].items() if "mlp" in name)
    methods: tuple[MergeMethod, ...] = (Fisher(*fisher), RegMean(*grams), Wudi(), TsvMerge(), MetaGPT(), NAN())
    inputs, _ = calibration.encode(pair, TEXTS[0])
    seen = []
    for method in methods:
        merged = method.merge(vectors)
        assert merged.keys() == pair.base.keys(), method.name
        assert all(tensor.isfinite().all() for tensor in merged.values()), method.name
        pair.write_language(merged)
        with torch.no_grad():
            seen.append(pair.vlm(**inputs).logits)
    for i, one in enumerate(seen):
        assert one.isfinite().all()
        assert not any(torch.equal(one, other) for other in seen[:i])
