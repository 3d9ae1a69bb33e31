"""One thread a process: the models are tiny, and tests may share few cores. And a cache that is empty at first."""

import atexit
import gc
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hpo_bench.benchmark.store import ResultsFolder

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"
# Matplotlib's list of fonts takes seconds to make and is nobody's measurement.
os.environ.setdefault("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib"))
if "HPO_BENCH_TEST_CACHE" in os.environ:  # with what `make test-all` has put there
    os.environ["XDG_CACHE_HOME"] = os.environ["HPO_BENCH_TEST_CACHE"]
elif "PYTEST_XDIST_WORKER" not in os.environ:  # workers share the cache of the process that started them
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="hpo-bench-tests-")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)

# Searches for garbage among all that is imported would take a tenth of the time, and a second or two at the end.
gc.set_threshold(10_000)
atexit.register(gc.freeze)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the whole house first, which are the longest: else one core ends with them while the other waits."""
    items.sort(key=lambda item: len(item.path.parts))


@pytest.fixture
def quick_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark's page without the figures, which take seconds and are tested where they stand."""
    from hpo_bench.files import sha256

    class QuickReport:
        study = None

        def __init__(self, benchmark: object, folder: "ResultsFolder", *, jobs: int) -> None:
            self._page = folder.path / "index.html"

        def write(self, content: dict) -> dict:
            self._page.write_text(repr([one["label"] for one in content["optimizers"].values()]))
            return {self._page: sha256(self._page)}

    monkeypatch.setattr("hpo_bench.benchmark.page.Report", QuickReport)
