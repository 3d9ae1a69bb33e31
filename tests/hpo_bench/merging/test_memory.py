"""What is said to be needed is what is used."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from hpo_bench.errors import MergeError
from hpo_bench.experiments.cost.subjects import synthetic
from hpo_bench.merging import memory
from hpo_bench.merging.engine.footprint import resident_bytes
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.memory import available_memory, check_memory, weight_bytes
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_engine_keeps_what_the_doctor_says(dtype: torch.dtype) -> None:
    loaded = synthetic("10M", dtype, "cpu").loaded
    sizes = [tensor.numel() for tensor in loaded.base.values()]
    engine = Resident(loaded)
    assert held(engine) == pytest.approx(weight_bytes(sum(sizes), sum(sizes), dtype), rel=1e-3)
    engine.merge(MergeSetting("ties", 0.5, 0.6, 0.4))
    engine.merge(MergeSetting("dare", 0.5, 0.6, 0.4))
    said = resident_bytes(sum(sizes), sizes, dtype)
    assert held(engine) <= said <= 1.02 * held(engine)


def test_of_a_tiny_pair_it_keeps_no_more(loaded: LoadedPair) -> None:
    sizes = [tensor.numel() for tensor in loaded.base.values()]
    whole = sum(parameter.numel() for parameter in loaded.vlm.parameters())
    engine = Resident(loaded)
    engine.merge(MergeSetting("ties", 0.5, 0.6, 0.4))
    engine.merge(MergeSetting("dare", 0.5, 0.6, 0.4))
    assert held(engine) <= resident_bytes(whole, sizes, torch.float32) <= 1.25 * held(engine)


GIB = 2**30


def container(folder: Path, version: int, *, limit: int | str, used: int, anon: int, files: int) -> None:
    """The files of a control group, as Linux has them."""
    folder.mkdir()
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for name, value in zip(names, (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")
    own = "" if version == 2 else "total_"
    kinds = {"anon" if version == 2 else "rss": anon, "inactive_file": files - files // 4, "active_file": files // 4}
    rows = [f"{name} {value}" for name, value in {"file": files, **kinds}.items()]
    # Of version 1 the group's own figures stand before those of all below it.
    (folder / "memory.stat").write_text("\n".join([*rows, *(f"{own}{one}" for one in rows if own)]) + "\n")


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of the machine's control groups; of memory there is plenty."""
    places = [(tmp_path / place[0].name, *place[1:]) for place in memory._CONTAINERS]
    monkeypatch.setattr(memory, "_CONTAINERS", places)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=500 * GIB))
    return tmp_path


@pytest.mark.parametrize("version", [1, 2])
def test_files_that_were_read_take_no_memory_of_a_container(groups: Path, version: int) -> None:
    """Three models of 4 GiB have just been read, or hashed: the container is full, and all of it can be had."""
    folder = groups / ("cgroup" if version == 2 else "memory")
    container(folder, version, limit=16 * GIB, used=15 * GIB, anon=3 * GIB, files=12 * GIB)
    assert available_memory() == 13 * GIB
    check_memory(8 * GIB, device="cpu", what="a merge", instead="take less")
    with pytest.raises(MergeError, match=r"needs 13\.0 GiB of memory, and 13\.0 GiB are free"):
        check_memory(13 * GIB, device="cpu", what="a merge", instead="take less")


@pytest.mark.parametrize("version", [1, 2])
def test_what_a_container_holds_itself_is_not_free(groups: Path, version: int) -> None:
    folder = groups / ("cgroup" if version == 2 else "memory")
    container(folder, version, limit=16 * GIB, used=15 * GIB, anon=15 * GIB, files=0)
    assert available_memory() == GIB
    (folder / "memory.stat").unlink()
    assert available_memory() == GIB, "without figures all of it counts as used"


def test_without_a_limit_the_machine_s_memory_counts(groups: Path) -> None:
    container(groups / "cgroup", 2, limit="max", used=15 * GIB, anon=15 * GIB, files=0)
    container(groups / "memory", 1, limit=2**63 - 4096, used=15 * GIB, anon=15 * GIB, files=0)
    assert available_memory() == 500 * GIB
