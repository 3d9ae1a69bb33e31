"""What vLLM's workers learn, each in its process: to take weights from shared memory, and to give some back.

Imported by its file's name alone, from the folder where it lies, by the Python of an environment that has vLLM.
"""

import hashlib
import math
import mmap
import os
from collections.abc import Iterator
from typing import Any

import torch

PROBED = 2
"""Columns of a matrix that are read back."""
_MAPPED: dict[str, mmap.mmap] = {}


class HandOver:
    """Methods that vLLM adds to its workers."""

    # What they have already.
    model_runner: Any
    vllm_config: Any
    reload_weights: Any
    device: Any
    rank: int

    def take_weights(self, where: str, manifest: list, keep_pictures: bool) -> None:
        """Load weights in place.

        Args:
            where: A file that holds them.
            manifest: Of each its name in the checkpoint, dtype, shape, and place in the file.
            keep_pictures: Whether what the vision encoder made of pictures stays right.
        """
        kept = dict(self.model_runner.encoder_cache) if keep_pictures else {}
        self.reload_weights(weights_iterator=_tensors(where, manifest), is_checkpoint_format=True)
        self.model_runner.encoder_cache.update(kept)

    @torch.inference_mode()
    def read_back(self, layers: list) -> dict:
        """Fingerprints of some columns of the language model's matrices, as the kernels that answer multiply by them.

        A one-hot input picks a column out of a matrix without rounding. Reading parameters would prove nothing, since
        kernels may have repacked them into memory of their own.

        Args:
            layers: Numbers of the layers to look at.

        Returns:
            By name of the module: the columns' numbers, how many rows there are, and the fingerprint.
        """
        split = self.vllm_config.parallel_config.tensor_parallel_size > 1
        language = self.model_runner.get_model().get_language_model()
        found = {}
        for name, module in language.named_modules():
            method: Any = getattr(module, "quant_method", None)
            inside = any(f"layers.{layer}." in name for layer in layers)
            if not (inside or name.endswith("lm_head")) or not hasattr(method, "apply"):
                continue
            width = getattr(module, "input_size_per_partition", None) or getattr(module, "embedding_dim", None)
            if width is None or "embed_tokens" in name:
                continue
            dtype = getattr(module, "params_dtype", None) or self.model_runner.dtype
            # Of a matrix that is cut by columns each worker has some.
            begin = width * self.rank if split and hasattr(module, "input_size_per_partition") else 0
            probe = torch.zeros(PROBED, width, dtype=dtype, device=self.device)
            columns = [(width * (2 * i + 1)) // (2 * PROBED) for i in range(PROBED)]
            probe[range(PROBED), columns] = 1
            made = method.apply(module, probe, None)
            rows = getattr(module, "org_vocab_size", None) or made.shape[1]
            values = (made[:, :rows].float() + 0.0).cpu().contiguous()  # no negative zeros
            digest = hashlib.sha256(values.numpy().tobytes()).hexdigest()
            found[name] = [[begin + column for column in columns], values.shape[1], digest]
        return found


def _tensors(where: str, manifest: list) -> Iterator:
    if where not in _MAPPED:
        descriptor = os.open(where, os.O_RDWR)
        _MAPPED[where] = mmap.mmap(descriptor, 0)
        os.close(descriptor)
    for name, dtype, shape, place in manifest:
        kind = getattr(torch, dtype)
        yield name, torch.frombuffer(_MAPPED[where], dtype=kind, count=math.prod(shape), offset=place).view(shape)
