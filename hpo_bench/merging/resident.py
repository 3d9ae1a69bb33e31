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
from hpo_bench.merging.slabs import PARENTS, Slab, cut_into_slabs

_IDENTITIES = {(0.0, 0.0): "base", (1.0, 0.0): "vlm", (0.0, 1.0): "expert"}

Kernel = Callable[..., Tensor]
Operands = Callable[[int], tuple[Any, ...]]
"""What a kernel takes besides the models' elements, on the line of a slab that starts there."""

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
        self._step = BLOCK if self._live.type == "cpu" and not self._compiled else _LINE_ON_GPU
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
            return self._go_through((parent,), _as_it_is, lambda _slab: _constant())
        if setting.method == "dare" and self.masks == "mergekit":
            self._merge_with_drawn_masks(setting)
            return self.fingerprint()
        return self._go_through(("base", *PARENTS), *self._recipe(setting))

    @torch.no_grad()
    def fingerprint(self) -> str:
        """The fingerprint of the live VLM: 32 hexadecimal digits, the same on any device.

        Language weights are read anew; of everything else it is as it was when this object was made.
        """
        hashes = [fingerprint.block_hashes(slab.read()) for slab in self._slabs]
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

    def _recipe(self, setting: MergeSetting) -> tuple[Kernel, Callable[[Slab], Operands]]:
        """A setting's kernel, and what it takes after base, VLM and expert."""
        if setting.method == "ties":
            return (kernels.ties if self.mode == "mergekit" else kernels.ties_as_published), self._of_ties(setting)
        if setting.method == "dare" and setting.density is not None and counter.level(setting.density) < counter.LEVELS:
            return kernels.dare, self._of_dare(setting, setting.density)
        return kernels.task_arithmetic, lambda slab: _constant(*self._weights(setting, slab))

    def _of_ties(self, setting: MergeSetting) -> Callable[[Slab], Operands]:
        density = setting.density or 1.0
        if self._thresholds is None:
            self._thresholds = Thresholds(self._slabs, dtype=self._dtype)
        found = [self._thresholds.at(role, density, per_tensor=self.mode == "mergekit") for role in PARENTS]
        there = [bounds.to(self._live) for bounds in found]

        def bind(slab: Slab) -> Operands:
            weights = self._weights(setting, slab)
            if slab.owner is None and not self._compiled:
                return _constant(*weights, *(float(bounds[slab.first]) for bounds in found))
            return _constant(*weights, *(slab.spread(bounds.to(weights[0].dtype)) for bounds in there))

        return bind

    def _of_dare(self, setting: MergeSetting, density: float) -> Callable[[Slab], Operands]:
        weights = torch.tensor([setting.vl_weight, setting.exp_weight])
        names = [name for slab in self._slabs for name in slab.names]
        if self.mode == "paper":
            factors = [torch.full((len(names),), 1 / density) for _ in PARENTS]
        else:
            if self._norms is None:
                self._norms = KeptNorms(self._slabs, dtype=self._dtype, seed=self.mask_seed)
            factors = [self._norms.rescaling(role, density) for role in PARENTS]
        scales = [(weight * each).to(self._live) for weight, each in zip(weights, factors, strict=True)]
        keys = torch.tensor([counter.keys(self.mask_seed, name) for name in names], dtype=torch.int32)
        first, second = keys.to(self._live).unbind(1)
        level = torch.tensor(counter.level(density), dtype=torch.int32, device=self._live)

        def bind(slab: Slab) -> Operands:
            scaled = [slab.spread(each) for each in scales]
            own = slab.position, slab.spread(first), slab.spread(second), level

            def operands(start: int) -> tuple[Any, ...]:
                place = torch.tensor(counter.wrapped(start), dtype=torch.int32, device=self._live)
                return (*scaled, place, *own)

            return operands

        return bind

    def _merge_with_drawn_masks(self, setting: MergeSetting) -> None:
        """DARE as mergekit does it, tensor by tensor in its order, since each mask depends on all before it."""
        pair, state = self._loaded, self._loaded.vlm.state_dict()
        live = {theirs: state[ours] for ours, theirs in pair.names.items()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.mask_seed)
            for name in pair.base:
                sources = pair.base[name], pair.tuned[name], pair.expert[name]
                live[name].copy_(mergekit_engine.merge_tensor(*sources, setting))

    def _weights(self, setting: MergeSetting, slab: Slab) -> tuple[Tensor, Tensor]:
        # Rounded to the weights' type as mergekit rounds them; in bfloat16, 0.8 and 0.801 are one number.
        dtype = self._dtype or slab.base.dtype
        vl_weight, exp_weight = torch.tensor([setting.vl_weight, setting.exp_weight], dtype=dtype, device=self._live)
        return vl_weight, exp_weight

    def _go_through(self, roles: tuple[str, ...], kernel: Kernel, bind: Callable[[Slab], Operands]) -> str:
        """Run a kernel on every line of every slab, write what it gives, and fingerprint it while it is at hand."""
        hashes = []
        for slab in self._slabs:
            operands = bind(slab)
            for start, elements, target in slab.lines(roles, self._step):
                if self._elsewhere:
                    elements = [each.to(self._live, self._dtype, non_blocking=True) for each in elements]
                written = self._write(kernel, slab, target, (*elements, *operands(start)))
                hashes.append(fingerprint.block_hashes(written))
        return fingerprint.digest(hashes, of=self._identity)

    def _write(self, kernel: Kernel, slab: Slab, target: Tensor | None, operands: tuple[Any, ...]) -> Tensor:
        if target is not None and self._compiled:
            _compiled(kernel)(target, *operands)
            return target
        merged = kernel(*operands).to(slab.targets[0].dtype)
        if target is not None:
            target.copy_(merged)
        else:
            slab.scatter(merged)
        return merged


@cache
def _compiled(kernel: Kernel) -> Callable[..., None]:
    def into(target: Tensor, *operands: Any) -> None:
        target.copy_(kernel(*operands))

    # Emulated casts round to bfloat16 after each operation, as eager arithmetic and so mergekit does.
    return torch.compile(into, dynamic=True, fullgraph=True, options={"emulate_precision_casts": True})


def _as_it_is(elements: Tensor) -> Tensor:
    return elements


def _constant(*operands: Tensor | float) -> Operands:
    return lambda _start: operands


def _parent(setting: MergeSetting) -> str | None:
    """The model that a setting's formula gives back as it is, if one."""
    if (setting.vl_weight, setting.exp_weight) == (0, 0):
        return "base"
    whole = setting.density is None or setting.density >= 1
    return _IDENTITIES.get((setting.vl_weight, setting.exp_weight)) if whole else None


def _identity(loaded: LoadedPair) -> tuple[str, ...]:
    """What a fingerprint is of: the merged tensors' names, shapes and types, and the bytes of all others."""
    lines = []
    for name, tensor in loaded.vlm.state_dict().items():
        line = f"{name} {tuple(tensor.shape)} {tensor.dtype}"
        if name not in loaded.names:
            line += " " + fingerprint.digest([fingerprint.block_hashes(tensor.contiguous().view(-1))], of=())
        lines.append(line)
    return tuple(lines)


def _same_bits(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.contiguous().view(torch.uint8), other.contiguous().view(torch.uint8))
