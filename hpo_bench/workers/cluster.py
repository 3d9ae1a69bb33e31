"""Tasks of a Ray cluster."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hpo_bench.errors import HpoBenchError, UsageError
from hpo_bench.workers.protocol import RETRIES, Answer, Item


@dataclass(frozen=True, slots=True)
class RayCluster:
    """Tasks of a Ray cluster, which does again what it loses with a worker or a machine.

    Ray's own tasks and not its backend for joblib, which works through a pool of actors: a worker that is killed costs
    its own unfinished task and no other, and that task is done again from its beginning.

    Attributes:
        jobs: Tasks at a time, each on one core.
        address: Of the cluster, as `ray.init` takes it; None starts one of this machine's cores.
    """

    jobs: int
    address: str | None = None

    def ahead(self, modules: Sequence[str]) -> None:
        """See `Workers`: machines of a cluster import for themselves."""

    def stream(self, function: Callable[[Item], Answer], items: Sequence[Item]) -> Iterator[Answer]:
        """See `Workers`."""
        with _ray(self.jobs, self.address) as ray:
            # A function of ours, as Ray takes no other callable.
            task = ray.remote(num_cpus=1, max_retries=RETRIES)(lambda item: function(item))
            waiting, running = list(reversed(items)), []
            while waiting or running:
                while waiting and len(running) < self.jobs:
                    running.append(task.remote(waiting.pop()))
                (done, *_), running = ray.wait(running, num_returns=1)
                try:
                    yield ray.get(done)
                except ray.exceptions.RayTaskError as error:
                    # What the task itself raised, not Ray's account of it.
                    raise error.cause from None
                except ray.exceptions.RayError as error:
                    raise HpoBenchError(
                        f"the Ray cluster lost a task {RETRIES + 1} times: {error}; finished runs are stored, and the "
                        "same command goes on from there"
                    ) from error


@contextmanager
def _ray(jobs: int, address: str | None) -> Iterator[Any]:
    # Read when Ray is imported or starts: nothing is reported to anybody, and no page is served.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError("--ray-address needs Ray: pip install 'hpo-bench[cluster]'") from error
    mine = not ray.is_initialized()
    if mine:
        local: dict[str, Any] = {} if address else {"num_cpus": jobs, "include_dashboard": False}
        try:
            ray.init(
                address=address or "local", log_to_driver=False, logging_level=logging.ERROR, configure_logging=True,
                runtime_env={"env_vars": {"OMP_NUM_THREADS": "1"}}, **local,
            )  # fmt: skip
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(f"no Ray cluster can be used at {address or 'this machine'}: {error}") from error
    try:
        yield ray
    finally:
        if mine:
            ray.shutdown()
