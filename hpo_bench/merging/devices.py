"""Which devices a merge runs on."""

import torch

from hpo_bench.errors import UsageError


def check_device(wanted: torch.device | str) -> torch.device:
    """A device that is there, before anything is loaded to it.

    Args:
        wanted: "cpu", "cuda", "cuda:1" and so on.

    Raises:
        UsageError: If it is no device, of a kind that merges do not run on, or not there.
    """
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise UsageError(f"{wanted!r} is no device; say cpu, cuda or cuda:1") from error
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type != "cuda":
        raise UsageError(f"merges do not run on {str(device)!r}; say cpu, cuda or cuda:1")
    count = torch.cuda.device_count()
    if (device.index or 0) >= count:
        has = f"{count} GPU{'s' * (count > 1)}" if count else "no GPU"
        raise UsageError(f"there is no {device} here: torch sees {has}; leave --device out to use what there is")
    return device


def devices(workers: int, wanted: str | None) -> list[str]:
    """A device for each worker.

    Args:
        workers: How many there are.
        wanted: A device for all of them; by default the GPUs in turn, or the CPU where there is none.

    Raises:
        UsageError: If there is no such device.
    """
    if wanted is not None:
        return [str(check_device(wanted))] * workers
    count = torch.cuda.device_count()
    return [f"cuda:{i % count}" if count else "cpu" for i in range(workers)]
