"""What is said to be needed is what is used."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
import torch

from hpo_bench.experiments.cost.subjects import synthetic
from hpo_bench.merging.arithmetic import Mode
from hpo_bench.merging.engine.footprint import resident_bytes
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.memory import weight_bytes
from hpo_bench.merging.setting import MergeSetting


def arrays(thing: Any, seen: dict[int, Any]) -> Iterator[tuple[int, int]]:
    """Address and bytes of every tensor's and array's memory that can be reached from an object."""
    if id(thing) in seen:
        return
    seen[id(thing)] = thing  # kept, so that no other has its id
    if isinstance(thing, torch.nn.Module):
        yield from arrays(list(thing.parameters()), seen)
    elif isinstance(thing, torch.Tensor):
        storage = thing.untyped_storage()
        yield storage.data_ptr(), storage.nbytes()
    elif isinstance(thing, np.ndarray):
        if thing.base is None:
            yield thing.ctypes.data, thing.nbytes
        else:
            yield from arrays(thing.base, seen)
    elif isinstance(thing, dict):
        yield from arrays(list(thing.values()), seen)
    elif isinstance(thing, (list, tuple)):
        for one in thing:
            yield from arrays(one, seen)
    elif is_dataclass(thing):
        yield from arrays([getattr(thing, field.name) for field in fields(thing)], seen)
    elif type(thing).__module__.startswith("hpo_bench"):
        yield from arrays(vars(thing), seen)


def held(engine: Resident) -> int:
    return sum(dict(arrays(engine, {})).values())


@pytest.mark.parametrize("mode", ["mergekit", "paper"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_engine_keeps_what_the_doctor_says(mode: Mode, dtype: torch.dtype) -> None:
    loaded = synthetic("10M", dtype, "cpu").loaded
    sizes = [tensor.numel() for tensor in loaded.base.values()]
    engine = Resident(loaded, mode=mode)
    assert held(engine) == pytest.approx(weight_bytes(sum(sizes), sum(sizes), dtype), rel=1e-3)
    engine.merge(MergeSetting("ties", 0.5, 0.6, 0.4))
    engine.merge(MergeSetting("dare", 0.5, 0.6, 0.4))
    said = resident_bytes(sum(sizes), sizes, dtype, mode=mode)
    assert held(engine) <= said <= 1.02 * held(engine)


def test_of_a_tiny_pair_it_keeps_no_more(loaded: LoadedPair) -> None:
    sizes = [tensor.numel() for tensor in loaded.base.values()]
    whole = sum(parameter.numel() for parameter in loaded.vlm.parameters())
    engine = Resident(loaded)
    engine.merge(MergeSetting("ties", 0.5, 0.6, 0.4))
    engine.merge(MergeSetting("dare", 0.5, 0.6, 0.4))
    assert held(engine) <= resident_bytes(whole, sizes, torch.float32) <= 1.25 * held(engine)
