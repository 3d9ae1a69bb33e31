"""Re-merging in place: base, VLM and expert stay in memory, and a new setting is one pass over them."""

from collections.abc import Callable
from functools import cache
from typing import Any, get_args

import torch
from torch import Tensor

from hpo_bench.errors import MergeError, UsageError
from hpo_bench.merging import counter, fingerprint, kernels, mergekit_engine
from hpo_bench.merging.fingerprint import BLOCK
from hpo_bench.merging.pair import LoadedPair
from hpo_bench.merging.quantiles import KeptNorms, Thresholds
from hpo_bench.merging.setting import Masks, MergeSetting, Mode
from hpo_bench.merging.slabs import PARENTS, cut_into_slabs

_IDENTITIES = {(0.0, 0.0): "base", (1.0, 0.0): "vlm", (0.0, 1.0): "expert"}

Kernel = Callable[..., Tensor]
Operands = Callable[[Tensor, int, int], tuple[Any, ...]]
"""What a kernel takes besides the models' elements: from the base's, the tensor's index, and the line's start in it."""

_LINE_ON_GPU = 1 << 26  # elements a line: large enough to fill a GPU, small enough to be streamed beside the live model


class Resident:
    """Merges a loaded pair again and again, in place, at the cost of the memory traffic.

    Task vectors are not stored: both differences are taken on the fly, which moves as many bytes as reading them would,
    and leaves base, VLM and expert as the only copies. Where a setting's formula gives the base, the VLM or the expert
    itself (coefficients (0, 0), (1, 0) or (0, 1) with nothing sparsified), that model's bytes are copied: base plus
    difference would round.

    On the CPU a line of 32,768 elements at a time goes through `kernels`, and stays in the cache; on a GPU the kernels
    are compiled. Nothing but the live VLM's merged parameters is written.

    Args:
        loaded: The pair; its `vlm` is written to, its `base`, `tuned` and `expert` are read.
        mode: "mergekit": its arithmetic, in the weights' own type, with its rounding. "paper": as published, in
            float32.
        masks: DARE's: "counter", reproducible on any device and nested in the density, or "mergekit", bit for bit those
            that mergekit draws from torch's global generator, on the CPU.
        mask_seed: Seed of DARE's masks.
        device: Where base, VLM and expert are kept; by default where the live parameters are. "cpu" with a VLM on a GPU
            keeps them in pinned memory, and streams them through the GPU tensor by tensor.
        compiled: Whether kernels go through `torch.compile`; by default on a GPU only.

    Raises:
        UsageError: If `mode` or `masks` is unknown, or the masks cannot be had.
        MergeError: If the pair's tensors do not fit the live VLM.
    """

    def __init__(
        self,
        loaded: LoadedPair,
        *,
        mode: Mode = "mergekit",
        masks: Masks = "counter",
        mask_seed: int = 0,
        device: torch.device | str | None = None,
        compiled: bool | None = None,
    ) -> None:
        for what, value, known in (("mode", mode, get_args(Mode)), ("masks", masks, get_args(Masks))):
            if value not in known:
                raise UsageError(f"{what} must be one of {', '.join(known)}, not {value!r}")
        self.mode: Mode = mode
        self.masks: Masks = masks
        self.mask_seed = mask_seed
        self._loaded = loaded
        self._live = next(iter(loaded.vlm.state_dict()[ours].device for ours in loaded.names))
        if masks == "mergekit" and (mode != "mergekit" or self._live.type != "cpu"):
            raise UsageError("mergekit's own masks are drawn on the CPU in mergekit's mode; use masks='counter'")
        self._slabs = cut_into_slabs(loaded, torch.device(device) if device is not None else self._live)
        self._compiled = self._live.type == "cuda" if compiled is None else compiled
        self._dtype = torch.float32 if mode == "paper" else None
        self._elsewhere = mode == "paper" or self._slabs[0].base.device != self._live
        self._step = _LINE_ON_GPU if self._live.type == "cuda" else BLOCK
        self._identity = _identity(loaded)
        self._thresholds: Thresholds | None = None
        self._norms: KeptNorms | None = None

    @torch.no_grad()
    def merge(self, setting: MergeSetting) -> str:
        """Write a setting's merge into the live VLM, in place.

        Returns:
            The fingerprint of the weights, as `fingerprint` gives it.
        """
        if parent := _parent(setting):
            return self._copy(parent)
        if setting.method == "dare" and self.masks == "mergekit":
            self._merge_with_drawn_masks(setting)
            return self.fingerprint()
        return self._apply(*self._recipe(setting))

    @torch.no_grad()
    def fingerprint(self) -> str:
        """The fingerprint of the live VLM: 32 hexadecimal digits, the same on any device.

        Language weights are read anew; of everything else it is as it was when this object was made.
        """
        hashes = [fingerprint.block_hashes(slab.gather()) for slab in self._slabs]
        return fingerprint.digest(hashes, of=self._identity)

    @torch.no_grad()
    def self_test(self) -> None:
        """Check that coefficients (0, 0) give the base and (1, 0) the VLM, bit for bit, and nothing else changes.

        The live VLM is as it was trained afterwards.

        Raises:
            MergeError: If not.
        """
        for weights, parent, expected in (
            ((0.0, 0.0), "base", self._loaded.base),
            ((1.0, 0.0), "VLM", self._loaded.tuned),
        ):
            returned = self.merge(MergeSetting("ta", *weights))
            state = self._loaded.vlm.state_dict()
            for ours, theirs in self._loaded.names.items():
                if not _same_bits(state[ours], expected[theirs].to(state[ours])):
                    raise MergeError(f"self-test: coefficients {weights} do not restore the {parent}'s {theirs}")
            if returned != self.fingerprint() or self._identity != _identity(self._loaded):
                raise MergeError("self-test: the fingerprint does not follow the weights, or more than they changed")

    def _recipe(self, setting: MergeSetting) -> tuple[Kernel, Operands, bool]:
        """A setting's kernel, what it takes after the models' elements, and whether that differs between tensors."""
        density = setting.density if setting.density is not None else 1.0
        if setting.method == "ties":
            kernel = kernels.ties if self.mode == "mergekit" else kernels.ties_as_published
            return kernel, self._of_ties(setting, density), True
        if setting.method == "dare" and counter.level(density) < counter.LEVELS:
            return kernels.dare, self._of_dare(setting, density), True
        weights = self._weights(setting)
        return kernels.task_arithmetic, lambda base, _index, _start: weights(base.dtype), False

    def _weights(self, setting: MergeSetting) -> Callable[[torch.dtype], tuple[Tensor, ...]]:
        @cache
        def rounded(dtype: torch.dtype) -> tuple[Tensor, ...]:
            # As mergekit rounds them; in bfloat16, 0.8 and 0.801 are one number.
            return torch.tensor([setting.vl_weight, setting.exp_weight], dtype=dtype, device=self._live).unbind()

        return rounded

    def _of_ties(self, setting: MergeSetting, density: float) -> Operands:
        if self._thresholds is None:
            self._thresholds = Thresholds(self._slabs, dtype=self._dtype)
        found = [self._thresholds.at(role, density, per_tensor=self.mode == "mergekit") for role in PARENTS]
        vlm, expert = (bounds.to(self._live) if self._compiled else bounds.tolist() for bounds in found)
        weights = self._weights(setting)
        return lambda base, index, _start: (*weights(base.dtype), vlm[index], expert[index])

    def _of_dare(self, setting: MergeSetting, density: float) -> Operands:
        names = [name for slab in self._slabs for name in slab.names]
        if self.mode == "paper":
            factors = [torch.full((len(names),), 1 / density) for _ in PARENTS]
        else:
            if self._norms is None:
                self._norms = KeptNorms(self._slabs, dtype=self._dtype, seed=self.mask_seed)
            factors = [self._norms.rescaling(role, density) for role in PARENTS]
        vlm = (setting.vl_weight * factors[0]).to(self._live)
        expert = (setting.exp_weight * factors[1]).to(self._live)

        def integers(numbers: Any) -> Tensor:
            return torch.tensor(numbers, dtype=torch.int32, device=self._live)

        first, second = integers([counter.keys(self.mask_seed, name) for name in names]).unbind(1)
        level = integers(counter.level(density))

        def operands(_base: Tensor, index: int, start: int) -> tuple[Tensor, ...]:
            return vlm[index], expert[index], integers(counter.wrapped(start)), first[index], second[index], level

        return operands

    def _apply(self, kernel: Kernel, operands: Operands, apart: bool) -> str:
        """Add what a kernel gives to the base, line by line, and fingerprint each line while it is at hand."""
        add = _compiled(kernel) if self._compiled else _eager(kernel)
        hashes = []
        for slab in self._slabs:
            for index, start, sources, target in slab.lines(self._step, apart=apart):
                if self._elsewhere:
                    sources = [each.to(self._live, self._dtype, non_blocking=True) for each in sources]
                add(target, *sources, *operands(sources[0], index, start))
                if slab.single:
                    hashes.append(fingerprint.block_hashes(target))
            if not slab.single:
                hashes.append(fingerprint.block_hashes(slab.merged))
                slab.scatter()
        return fingerprint.digest(hashes, of=self._identity)

    def _copy(self, parent: str) -> str:
        for slab in self._slabs:
            slab.merged.copy_(getattr(slab, parent))
            slab.scatter()
        return self.fingerprint()

    def _merge_with_drawn_masks(self, setting: MergeSetting) -> None:
        """DARE as mergekit does it, tensor by tensor in its order, since each mask depends on all before it."""
        pair, state = self._loaded, self._loaded.vlm.state_dict()
        live = {theirs: state[ours] for ours, theirs in pair.names.items()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.mask_seed)
            for name in pair.base:
                sources = pair.base[name], pair.tuned[name], pair.expert[name]
                live[name].copy_(mergekit_engine.merge_tensor(*sources, setting))


def _eager(kernel: Kernel) -> Callable[..., None]:
    def add(target: Tensor, base: Tensor, *operands: Any) -> None:
        torch.add(base, kernel(base, *operands), out=target)

    return add


@cache
def _compiled(kernel: Kernel) -> Callable[..., None]:
    def add(target: Tensor, base: Tensor, *operands: Any) -> None:
        target.copy_(base + kernel(base, *operands))

    # torch counts recompilations by code object, and all kernels' would share one.
    add.__code__ = add.__code__.replace(co_name=f"add_{kernel.__name__}")
    # Emulated casts round to bfloat16 after each operation, as eager arithmetic and so mergekit does.
    return torch.compile(add, dynamic=True, fullgraph=True, options={"emulate_precision_casts": True})


def _parent(setting: MergeSetting) -> str | None:
    """The model that a setting's formula gives back as it is, if one."""
    if (setting.vl_weight, setting.exp_weight) == (0, 0):
        return "base"
    whole = setting.density is None or setting.density >= 1
    return _IDENTITIES.get((setting.vl_weight, setting.exp_weight)) if whole else None


def _identity(loaded: LoadedPair) -> str:
    """What a fingerprint is of: the merged tensors' names, shapes and types, and the bytes of all others."""
    lines = []
    for name, tensor in loaded.vlm.state_dict().items():
        line = f"{name} {tuple(tensor.shape)} {tensor.dtype}"
        if name not in loaded.names:
            line += " " + fingerprint.digest([fingerprint.block_hashes(tensor.contiguous().view(-1))], of="")
        lines.append(line)
    return "\n".join(lines)


def _same_bits(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.contiguous().view(torch.uint8), other.contiguous().view(torch.uint8))
