"""The shipped pair, read and loaded once, and a small copy of it for recordings."""

import shutil
from pathlib import Path

import pytest

from hpo_bench.evaluation.examples import Example, write_examples
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.merging.find import SHIPPED
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair


@pytest.fixture(scope="session")
def shipped() -> Pair:
    return Pair.read(next(iter(sorted(SHIPPED.glob("*/pair.yaml")))).parent)


@pytest.fixture(scope="session")
def loaded(shipped: Pair) -> LoadedPair:
    return LoadedPair.load(shipped)


@pytest.fixture(scope="session")
def questions(shipped: Pair) -> tuple[Example, ...]:
    """The shipped pair's examples, whose reading takes half a second."""
    return read_examples(shipped.examples)


@pytest.fixture
def small_pair(shipped: Pair, questions: tuple[Example, ...], tmp_path: Path) -> Pair:
    """The shipped models with a benchmark of forty examples."""
    folder = tmp_path / "small"
    shutil.copytree(shipped.folder, folder)
    write_examples(questions[:40], folder / shipped.examples.name)
    return Pair.read(folder)
