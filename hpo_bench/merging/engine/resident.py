"""Re-merging in place: base, VLM and expert stay in memory, and a new setting is one pass over them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from hpo_bench.display.words import some
from hpo_bench.errors import MergeError, MethodError, UsageError
from hpo_bench.merging.devices import check_device
from hpo_bench.merging.engine import mergekit
from hpo_bench.merging.engine.fingerprint import Fingerprint
from hpo_bench.merging.engine.operands import KernelOperands
from hpo_bench.merging.engine.slabs import Slab, cut_into_slabs
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods.base import MergeMethod, Parent, Statistics
from hpo_bench.merging.methods.calling import answering, made, merged_by, parent_of, recipe_of
from hpo_bench.merging.methods.recipe import Kernel, Mode, Recipe
from hpo_bench.merging.methods.vectors import TaskVectors, Weights
from hpo_bench.merging.setting import MergeSetting

# Elements a line. In eager arithmetic its temporaries stay in a core's cache, and yet it is long beside what an
# operation costs whatever its length; a compiled kernel has no temporaries and a dearer call; on a GPU a line fills the
# device, and is small enough to be streamed beside the live model.
_EAGER, _COMPILED, _ON_GPU = 1 << 17, 1 << 19, 1 << 26

Masks = Literal["counter", "mergekit"]
"""Random masks: from a counter, or as mergekit draws them from torch's global generator."""


class Resident:
    """Merges a loaded pair again and again, in place, at the cost of the memory traffic.

    Task vectors are not stored: both differences are taken on the fly, which moves as many bytes as reading them would,
    and leaves base, VLM and expert as the only copies. Where a setting's formula gives the base, the VLM or the expert
    itself (its `parent`), that model's bytes are copied: base plus difference would round.

    Lines of elements go through the kernel of the method's `recipe`, and are fingerprinted while they are at hand: on
    the CPU by eager operations on 131,072 at a time, which stay in the cache; on a GPU compiled. A method without a
    recipe merges by its formula in float32, tensor by tensor where each stands alone. Nothing but the live VLM's merged
    parameters is written, and those that are the same in all three models once, however many settings follow: layers
    that stayed frozen in both tunings cost a merge nothing, and an evaluator sees that nobody wrote to them.

    Args:
        loaded: The pair; its `vlm` is written to, its `base`, `tuned` and `expert` are read.
        mode: "mergekit": its arithmetic, in the weights' own type, with its rounding. "paper": as published, in
            float32.
        masks: DARE's: "counter", reproducible on any device and nested in the density, or "mergekit", bit for bit those
            that mergekit draws from torch's global generator, on the CPU. A method of one's own draws its own.
        mask_seed: Seed of masks.
        statistics: What data-aware methods need, by what it is: the VLM's and the expert's.
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
        statistics: Mapping[Statistics, tuple[Weights, Weights]] | None = None,
        device: torch.device | str | None = None,
        compiled: bool | None = None,
    ) -> None:
        for what, value, known in (("mode", mode, get_args(Mode)), ("masks", masks, get_args(Masks))):
            if value not in known:
                raise UsageError(f"{what} must be one of {', '.join(known)}, not {value!r}")
        self.mode: Mode = mode
        self.masks: Masks = masks
        self._statistics = statistics or {}
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
        self.reseed(mask_seed)
        self._elsewhere = mode == "paper" or self._slabs[0].base.device != self._live
        self._identity = _identity(loaded)
        self._settled: dict[int, tuple[tuple[int, int], ...]] = {}
        self._lent = {f"the {role}'s {names}": tensor for names, role, tensor in self._all_lent()}
        self._spoilt = ""

    def reseed(self, mask_seed: int) -> None:
        """Draw masks by this seed from now on."""
        self.mask_seed = mask_seed
        self._operands = KernelOperands(
            self._slabs, mode=self.mode, mask_seed=mask_seed, device=self._live, compiled=self._compiled
        )

    @torch.no_grad()
    def merge(self, setting: MergeSetting) -> str:
        """Write a setting's merge into the live VLM, in place.

        Returns:
            The fingerprint of the weights, as `fingerprint` gives it.

        Raises:
            MergeError: If the method needs statistics that are not there, or merges into other names or shapes.
        """
        method = self._bound(setting)
        if method.draws_masks and method.mergekit and self.masks == "mergekit" and not parent_of(method):
            self._merge_with_drawn_masks(setting)
            return self.fingerprint()
        return self.write(method)

    @torch.no_grad()
    def write(self, method: MergeMethod) -> str:
        """Write what a method merges, at the hyperparameters and with the statistics that it has; else as `merge`.

        Raises:
            MethodError: If the method raises anything, returns what is no merge, or writes into what it may only read.
                After the latter every merge is refused: it would not be of the models that were loaded.
        """
        with self._only_read(method):
            if parent := parent_of(method):
                return self._copy(parent)
            if recipe := recipe_of(method, self._operands):
                with answering(type(method), "kernel"):
                    return self._apply(recipe)
            self._merge_by_formula(method)
            return self.fingerprint()

    @torch.no_grad()
    def fingerprint(self) -> str:
        """The fingerprint of the live VLM, 32 hexadecimal digits, as `fingerprint.py` says.

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
            for name, found in self._loaded.read_language().items():
                if not _same_bits(found, expected[name].to(found)):
                    raise MergeError(f"self-test: coefficients {weights} do not restore the {parent}'s {name}")
            if returned != self.fingerprint() or self._identity != _identity(self._loaded):
                raise MergeError("self-test: the fingerprint does not follow the weights, or more than they changed")

    def _bound(self, setting: MergeSetting) -> MergeMethod:
        """The method at a setting, with its statistics and seed."""
        kind, arguments = setting.kind, dict[str, Any](setting.parameters)
        if kind.needs:
            if kind.needs not in self._statistics:
                raise MergeError(f"{kind.label} needs statistics of both models on calibration examples ({kind.needs})")
            arguments["vlm"], arguments["expert"] = self._statistics[kind.needs]
        if kind.draws_masks:
            arguments["seed"] = self.mask_seed
        return made(kind, **arguments)

    def _merge_by_formula(self, method: MergeMethod) -> None:
        pair, live = self._loaded, self._loaded.read_language()
        for names in [[name] for name in pair.base] if method.by_tensor else [list(pair.base)]:
            merged = merged_by(method, TaskVectors.of(pair, names))
            for name in names:
                live[name].copy_(merged[name])

    @contextmanager
    def _only_read(self, method: MergeMethod) -> Iterator[None]:
        """Notice, at the end of the block, that a kernel or a formula wrote into what later merges need as it was."""
        if self._spoilt:
            raise MethodError(f"{self._spoilt}; no merge after that is of these models")
        before = {what: _writes(tensor) for what, tensor in self._lent.items()}
        try:
            yield
        finally:
            written = next((what for what, tensor in self._lent.items() if _writes(tensor) != before[what]), None)
            self._spoilt = f"{method.label} wrote into {written}, which it may only read" if written else ""
        if self._spoilt:
            raise MethodError(f"{self._spoilt}; let it work on a copy")

    def _all_lent(self) -> Iterator[tuple[str, str, Tensor]]:
        """What methods are shown: names, whose it is, and the tensor."""
        for slab in self._slabs:
            for role in ("base", "vlm", "expert"):
                yield some(slab.names), role, getattr(slab, role)
        for of, both in self._statistics.items():
            for role, weights in zip(("vlm", "expert"), both, strict=True):
                for name, tensor in weights.items():
                    yield f"{of} of {name}", role, tensor

    def _apply(self, recipe: Recipe) -> str:
        """Add what a kernel gives to the base, line by line, and fingerprint each line while it is at hand."""
        add = _compiled(recipe.kernel) if self._compiled else _eager(recipe.kernel)
        code = Fingerprint(of=self._identity)
        for slab in self._slabs:
            if self._rests(slab):
                code.update(slab.gather())
                continue
            for line in slab.apart if recipe.apart else slab.together:
                sources = line.sources
                if self._elsewhere:
                    sources = [each.to(self._live, self._operands.dtype, non_blocking=True) for each in sources]
                add(line.target, *sources, *recipe.operands(line))
                if slab.single:
                    code.update(line.target)
            if not slab.single:
                code.update(slab.merged)
                slab.scatter()
        return code.hexdigest()

    def _copy(self, parent: Parent) -> str:
        for slab in self._slabs:
            if not self._rests(slab):
                slab.merged.copy_(getattr(slab, parent))
                slab.scatter()
        return self.fingerprint()

    def _rests(self, slab: Slab) -> bool:
        """Whether a slab has what every merge has; it gets that from the base, unless nobody wrote to it since."""
        if not slab.still:
            return False
        if self._settled.get(id(slab)) != slab.written:
            slab.merged.copy_(slab.base)
            slab.scatter()
            self._settled[id(slab)] = slab.written
        return True

    def _merge_with_drawn_masks(self, setting: MergeSetting) -> None:
        """DARE as mergekit does it, tensor by tensor in its order, since each mask depends on all before it."""
        pair, live = self._loaded, self._loaded.read_language()
        still = {name for slab in self._slabs if self._rests(slab) for name in slab.names}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.mask_seed)
            for name in pair.base:
                sources = pair.base[name], pair.tuned[name], pair.expert[name]
                merged = mergekit.merge_tensor(*sources, setting)  # of what is still too, whose masks are drawn as well
                if name not in still:
                    live[name].copy_(merged)


def _writes(tensor: Tensor) -> int:
    """How often somebody wrote into a tensor, or into a view of it."""
    return 0 if tensor.is_inference() else tensor._version


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
