"""Opening a bench on a pair: what every worker does first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from hpo_bench.evaluation.examples import SPLITS, check_sides
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.methods import metagpt, nan
from hpo_bench.merging.methods.base import TaskVectors
from hpo_bench.merging.pair import LoadedPair, Pair
from hpo_bench.tuning.workers.session import ModelBench

COEFFICIENTS = {"nan": nan.coefficients, "metagpt": metagpt.coefficients}
"""Methods that find coefficients for Task Arithmetic without an evaluation, to begin a search with."""


@dataclass(frozen=True, slots=True)
class PairOpener:
    """Opens benches on a pair.

    Attributes:
        pair: What to merge.
        mask_seed: Seed of DARE's masks.
        threads: CPU threads of each worker.
        coefficients: Of which keys of `COEFFICIENTS` the bench should know the coefficients.
        trust_remote_code: Whether the user allows code that comes with the VLM to run.
    """

    pair: Pair
    mask_seed: int = 0
    threads: int = 1
    coefficients: tuple[str, ...] = ()
    trust_remote_code: bool = False

    def __call__(self, device: str) -> ModelBench:
        """Load the pair to a device and open its evaluator.

        Raises:
            MergeError: If the models cannot be loaded or do not fit together.
            UsageError: If the evaluation cannot be opened.
        """
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        torch.set_num_threads(self.threads)
        loaded = LoadedPair.load(self.pair, device=device, trust_remote_code=self.trust_remote_code)
        evaluator = open_evaluator(self.pair, loaded)
        check_sides([one for split in SPLITS for one in evaluator.examples(split)], SPLITS, self.pair.name)
        known: Mapping[str, Any] = {"coefficients": self._coefficients(loaded)} if self.coefficients else {}
        merger = Resident(loaded, mask_seed=self.mask_seed)
        merger.self_test()
        return ModelBench(loaded.vlm, merger, evaluator, known)

    def _coefficients(self, loaded: LoadedPair) -> dict[str, tuple[float, float]]:
        vectors = TaskVectors.of(loaded)
        return {name: COEFFICIENTS[name](vectors) for name in self.coefficients}
