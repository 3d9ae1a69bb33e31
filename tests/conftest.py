"""One thread a process: the models are tiny, and tests may share few cores. And a cache that is empty at first."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"
# Matplotlib's list of fonts takes seconds to make and is nobody's measurement.
os.environ.setdefault("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib"))
if "PYTEST_XDIST_WORKER" not in os.environ:  # workers share the cache of the process that started them
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="hpo-bench-tests-")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)
