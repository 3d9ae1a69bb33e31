"""Re-merging in place: base, VLM and expert stay in memory, and a new setting is one pass over them."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, get_args

import torch
from torch import Tensor

from hpo_bench.errors import MergeError, UsageError
from hpo_bench.merging.devices import check_device
from hpo_bench.merging.engine import kernels, mergekit
from hpo_bench.merging.engine import masks as counter
from hpo_bench.merging.engine.fingerprint import Fingerprint
from hpo_bench.merging.engine.quantiles import KeptNorms, Thresholds
from hpo_bench.merging.engine.slabs import PARENTS, Line, cut_into_slabs
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.setting import Masks, MergeSetting, Mode

_IDENTITIES = {(0.0, 0.0): "base", (1.0, 0.0): "vlm", (0.0, 1.0): "expert"}

Kernel = Callable[..., Tensor]
Operands = Callable[[Line], tuple[Any, ...]]
"""What a kernel takes besides a line's elements of the three models."""

# Elements a line. In eager arithmetic its temporaries stay in a core's cache, and yet it is long beside what an
# operation costs whatever its length; a compiled kernel has no temporaries and a dearer call; on a GPU a line fills the
# device, and is small enough to be streamed beside the live model.
_EAGER, _COMPILED, _ON_GPU = 1 << 17, 1 << 19, 1 << 26


class Resident:
    """Merges a loaded pair again and again, in place, at the cost of the memory traffic.

    Task vectors are not stored: both differences are taken on the fly, which moves as many bytes as reading them would,
    and leaves base, VLM and expert as the only copies. Where a setting's formula gives the base, the VLM or the expert
    itself (coefficients (0, 0), (1, 0) or (0, 1) with nothing sparsified), that model's bytes are copied: base plus
    difference would round.

    Lines of elements go through `kernels`, and are fingerprinted while they are at hand: on the CPU by eager operations
    on 131,072 at a time, which stay in the cache; on a GPU compiled. Nothing but the live VLM's merged parameters is
    written.

    Args:
        loaded: The pair; its `vlm` is written to, its `base`, `tuned` and `expert` are read.
        mode: "mergekit": its arithmetic, in the weights' own type, with its rounding. "paper": as published, in
            float32.
        masks: DARE's: "counter", reproducible on any device and nested in the density, or "mergekit", bit for bit those
            that mergekit draws from torch's global generator, on the CPU.
        mask_seed: Seed of DARE's masks.
        device: Where base, VLM and expert are kept; by default where the live parameters are. "cpu" with a VLM on a GPU
            keeps copies of them in pinned memory, and streams them through the GPU line by line.
        compiled: Whether kernels go through `torch.compile`; by default on a GPU only. On a CPU it needs a C++
            compiler and seconds to compile, gives the same bits, and takes off a third of Task Arithmetic's time and
            four fifths of DARE's: worth it where merges of billions of elements, not evaluations, take the time.

    Raises:
        UsageError: If `mode` or `masks` is unknown, the masks cannot be had, or the device is not there.
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
        on_gpu = self._live.type == "cuda"
        self._compiled = on_gpu if compiled is None else compiled
        kept_on = check_device(device) if device is not None else self._live
        self._slabs = cut_into_slabs(
            loaded, kept_on, step=_ON_GPU if on_gpu else _COMPILED if self._compiled else _EAGER
        )
        self._dtype = torch.float32 if mode == "paper" else None
        self._elsewhere = mode == "paper" or self._slabs[0].base.device != self._live
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
        """The fingerprint of the live VLM, 32 hexadecimal digits, as `merging.fingerprint` says.

        Language weights are read anew; of everything else it is as it was when this object was made.
        """
        code = Fingerprint(of=self._identity)
        for slab in self._slabs:
            code.update(slab.gather())
        return code.hexdigest()

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
        return kernels.task_arithmetic, self._weights(setting), False

    def _weights(self, setting: MergeSetting) -> Operands:
        @cache
        def rounded(dtype: torch.dtype) -> tuple[Tensor, ...]:
            # As mergekit rounds them; in bfloat16, 0.8 and 0.801 are one number.
            return torch.tensor([setting.vl_weight, setting.exp_weight], dtype=dtype, device=self._live).unbind()

        return lambda line: rounded(self._dtype or line.sources[0].dtype)

    def _of_ties(self, setting: MergeSetting, density: float) -> Operands:
        if self._thresholds is None:
            self._thresholds = Thresholds(self._slabs, dtype=self._dtype)
        found = [self._thresholds.at(role, density, per_tensor=self.mode == "mergekit") for role in PARENTS]
        vlm, expert = map(self._numbers, found)
        weights = self._weights(setting)
        return lambda line: (*weights(line), vlm[line.tensor], expert[line.tensor])

    def _of_dare(self, setting: MergeSetting, density: float) -> Operands:
        names = [name for slab in self._slabs for name in slab.names]
        if self.mode == "paper":
            factors = [torch.full((len(names),), 1 / density) for _ in PARENTS]
        else:
            if self._norms is None:
                self._norms = KeptNorms(self._slabs, dtype=self._dtype, seed=self.mask_seed)
            factors = [self._norms.rescaling(role, density) for role in PARENTS]
        vlm, expert = self._numbers(setting.vl_weight * factors[0]), self._numbers(setting.exp_weight * factors[1])
        keys = torch.tensor([counter.keys(self.mask_seed, name) for name in names], dtype=torch.int32)
        first, second = map(self._numbers, keys.unbind(1))
        (level,) = self._numbers(torch.tensor([counter.level(density)], dtype=torch.int32))

        def operands(line: Line) -> tuple[Any, ...]:
            start: Any = counter.wrapped(line.start)
            if self._compiled:
                start = torch.full((), start, dtype=torch.int32, device=self._live)
            of = line.tensor
            return vlm[of], expert[of], start, first[of], second[of], level

        return operands

    def _numbers(self, one_a_tensor: Tensor) -> Sequence[Any]:
        """As Python's numbers, or as tensors where kernels are compiled, which would be anew for every other number."""
        return one_a_tensor.to(self._live).unbind() if self._compiled else one_a_tensor.tolist()

    def _apply(self, kernel: Kernel, operands: Operands, apart: bool) -> str:
        """Add what a kernel gives to the base, line by line, and fingerprint each line while it is at hand."""
        add = _compiled(kernel) if self._compiled else _eager(kernel)
        code = Fingerprint(of=self._identity)
        for slab in self._slabs:
            for line in slab.apart if apart else slab.together:
                sources = line.sources
                if self._elsewhere:
                    sources = [each.to(self._live, self._dtype, non_blocking=True) for each in sources]
                add(line.target, *sources, *operands(line))
                if slab.single:
                    code.update(line.target)
            if not slab.single:
                code.update(slab.merged)
                slab.scatter()
        return code.hexdigest()

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
                live[name].copy_(mergekit.merge_tensor(*sources, setting))


def _eager(kernel: Kernel) -> Callable[..., None]:
    def add(target: Tensor, base: Tensor, *operands: Any) -> None:
        into = target if target.dtype == base.dtype else None
        torch.add(base, kernel(base, *operands, into=into), out=target)

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
    """What a fingerprint is of: the merged tensors' names, shapes and types, and the bytes of all others.

    A model lists a tied weight under each of its names: a head that is merged embeddings changes with them.
    """
    lines = []
    state = loaded.vlm.state_dict()
    merged = {state[name].data_ptr() for name in loaded.names}
    for name, tensor in state.items():
        line = f"{name} {tuple(tensor.shape)} {tensor.dtype}"
        if tensor.data_ptr() not in merged:
            code = Fingerprint(of="")
            code.update(tensor.contiguous().view(-1))
            line += f" {code.hexdigest()}"
        lines.append(line)
    return "\n".join(lines)


def _same_bits(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.contiguous().view(torch.uint8), other.contiguous().view(torch.uint8))
