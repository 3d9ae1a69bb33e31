"""Opens the workers that a user asks for."""

from pathlib import Path

from hpo_bench.merging.devices import devices
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.options import RunOptions
from hpo_bench.tuning.workers import processes
from hpo_bench.tuning.workers.base import WorkerPool
from hpo_bench.tuning.workers.session import PairOpener


def check_workers(options: RunOptions) -> None:
    """Refuse devices that are not there; those of a cluster's nodes are not to be seen from here.

    Raises:
        UsageError: If there is no such device.
    """
    if options.ray_address is None:
        devices(options.workers, options.device)


def kind_of_device(options: RunOptions) -> str:
    """What the workers compute on: "cpu", "cuda", ...; or the cluster, whose devices are not known here."""
    if options.ray_address is not None:
        return "ray"
    return devices(1, options.device)[0].partition(":")[0]


def open_workers(
    pair: Pair, config: StudyConfig, options: RunOptions, logs: Path, coefficients: tuple[str, ...]
) -> WorkerPool:
    """Open processes of this machine, or actors on a Ray cluster, that each load the pair.

    Args:
        pair: What they merge.
        config: The study.
        options: How many, and on what.
        logs: Folder for what they print.
        coefficients: Starts that they should find from the weights.

    Raises:
        UsageError: If there is no such device, or Ray is not installed.
        TuningError: If the cluster cannot be reached.
    """
    opener = PairOpener(pair, config.mask_seed, options.threads, coefficients, options.trust_remote_code)
    if options.ray_address is None:
        places = devices(options.workers, options.device)
        return processes.ProcessPool(opener, devices=places, logs=logs)
    from hpo_bench.tuning.workers.ray import RayPool  # Ray is an extra

    return RayPool(opener, address=options.ray_address, workers=options.workers, device=options.device)
