"""Where workers run."""


def devices(workers: int, wanted: str | None) -> list[str]:
    """A device for each worker.

    Args:
        workers: How many there are.
        wanted: A device for all of them; by default the GPUs in turn, or the CPU where there is none.

    Raises:
        UsageError: If there is no such device.
    """
    import torch

    from hpo_bench.merging.engine.devices import check_device

    if wanted is not None:
        return [str(check_device(wanted))] * workers
    count = torch.cuda.device_count()
    return [f"cuda:{i % count}" if count else "cpu" for i in range(workers)]
