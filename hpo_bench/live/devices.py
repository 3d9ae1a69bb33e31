"""Where workers run."""

from hpo_bench.errors import UsageError


def devices(workers: int, wanted: str | None) -> list[str]:
    """A device for each worker.

    Args:
        workers: How many there are.
        wanted: A device for all of them; by default the GPUs in turn, or the CPU where there is none.

    Raises:
        UsageError: If there is no such device.
    """
    import torch

    count = torch.cuda.device_count()
    if wanted is None:
        return [f"cuda:{i % count}" if count else "cpu" for i in range(workers)]
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise UsageError(f"{wanted!r} is no device; say cpu, cuda or cuda:1") from error
    if device.type == "cuda" and (device.index or 0) >= count:
        raise UsageError(f"there is no {wanted} here, but {count} GPUs; leave --device out to use what there is")
    return [wanted] * workers
