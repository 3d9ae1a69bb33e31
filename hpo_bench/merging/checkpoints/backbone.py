"""Which tensors of a VLM are its language backbone: those that its base has, by name and shape.

A VLM's class keeps its language model as one of its parts, so names of language tensors end as the language model's do,
after one beginning of their own. It is looked for: of all beginnings, that after which most of the base's tensors are
found in their shapes. Picture encoders and resamplers may have layers of the same names, and even of the same shapes;
they lack the others. Where two beginnings find as much, transformers says which part decodes.

Names of a language model are written in one way here, whatever its class calls them: `model.layers...`, with
`model.embed_tokens.weight` for the embeddings and `lm_head.weight` for the head.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hpo_bench.display.words import some
from hpo_bench.errors import MergeError
from hpo_bench.merging.architectures import EMBEDDINGS, HEAD, INSERTED
from hpo_bench.merging.checkpoints.model import StoredModel
from hpo_bench.merging.checkpoints.skeleton import Shape, Skeleton

BODY = "model."
_HEAD = HEAD.removesuffix("weight")


@dataclass(frozen=True, slots=True)
class Backbone:
    """A VLM's language tensors.

    Attributes:
        names: Language model name to the VLM's name in memory.
        prefixes: How the VLM's names begin, and what stands there in a language model.
        inserted: Names in memory of layers that the VLM has between those of its language model; they are kept.
        explicit: Whether the user says what is language.
    """

    names: Mapping[str, str]
    prefixes: Mapping[str, str]
    inserted: tuple[str, ...] = ()
    explicit: bool = False


def language_names(model: StoredModel) -> dict[str, str]:
    """The tensors of a language model, or of a VLM's language part as its class says it.

    Returns:
        Language model name to the name in memory.
    """
    skeleton = model.skeleton
    return _ordered(_under(skeleton, skeleton.body, model.configuration.text) | _ends(skeleton), skeleton)


def find_backbone(vlm: StoredModel, base: Mapping[str, Shape]) -> Backbone:
    """Find the language tensors of a VLM by its base.

    Args:
        vlm: The VLM.
        base: Shapes of the base's tensors, by language model name.

    Raises:
        MergeError: If no beginning finds the base's layers, or two find as many.
    """
    skeleton, config = vlm.skeleton, vlm.configuration.text
    shapes = skeleton.shapes | {name: info.shape for name, info in vlm.tensors.items()}
    tails = {name.removeprefix(BODY): shape for name, shape in base.items() if name.startswith(BODY)}
    tails.pop(EMBEDDINGS.removeprefix(BODY), None)
    found: Counter[str] = Counter()
    for name in shapes:
        for begin in _beginnings(name):
            tail = _renumbered(name.removeprefix(begin), config)
            if tail is not None and tails.get(tail) == shapes[name]:
                found[begin] += 1
    whole = [begin for begin, count in found.items() if count == len(tails)]
    if len(whole) > 1 and skeleton.body not in whole:
        either = sorted(whole)
        raise MergeError(
            f"the VLM's language backbone may begin with {' or '.join(map(repr, either))}, which have the base's names "
            f"and shapes alike; say which by `--language-prefix {either[0]}=model.`, or in pair.yaml"
        )
    # Where nothing fits, what the class says decodes is laid beside the base, to tell how they differ.
    begin = whole[0] if len(whole) == 1 else skeleton.body or next((one for one, _ in found.most_common(1)), "")
    if not begin:
        raise MergeError(
            "no language backbone is found in the VLM: none of its tensors ends as one of the base's does and has its "
            f"shape (such as {some(tails)}); give the base that the VLM grew from, or say how names begin in it: in "
            "pair.yaml `language_prefixes: {model.language_model.: model.}`, or `--language-prefix "
            "model.language_model.=model.`"
        )
    names = _under(skeleton, begin, config)
    parts = {name.removeprefix(BODY).partition(".")[0] for name in base}
    # Beside its layers a body holds what is no language, as Phi-4-multimodal's does: its parts have names of their own.
    names = {name: ours for name, ours in names.items() if name.removeprefix(BODY).partition(".")[0] in parts}
    inserted = [
        name
        for name in skeleton.shapes
        if name.startswith(begin) and _renumbered(name.removeprefix(begin), config) is None
    ]
    ends = _ends(skeleton)
    prefixes = {begin: BODY} | {
        ours.removesuffix("weight"): name.removesuffix("weight")
        for name, ours in ends.items()
        if name.endswith(".weight") and ours != begin + name.removeprefix(BODY)
    }
    return Backbone(_ordered(names | ends, skeleton), prefixes, tuple(inserted))


def explicit_backbone(vlm: StoredModel, prefixes: Mapping[str, str]) -> Backbone:
    """The language tensors of a VLM by a mapping of the user's own.

    Args:
        vlm: The VLM.
        prefixes: How its names begin in memory or on disk, and how the language model's do.

    Raises:
        MergeError: If two tensors of the VLM claim the same name, or none is language.
    """
    names: dict[str, str] = {}
    inserted: list[str] = []
    for ours in vlm.skeleton.shapes:
        stored = vlm.sources[ours].parts[:1] if ours in vlm.sources else ()
        name = next(filter(None, (language_name(one, prefixes) for one in (ours, *stored))), None)
        if name is None:
            continue
        tail = _renumbered(name.removeprefix(BODY), vlm.configuration.text) if name.startswith(BODY) else ""
        if tail is None:
            inserted.append(ours)
            continue
        name = BODY + tail if tail else name
        if name in names:
            raise MergeError(
                f"both {names[name]!r} and {ours!r} of the VLM map to {name!r}; the prefixes are ambiguous"
            )
        names[name] = ours
    if not names:
        raise MergeError(
            f"no tensor of the VLM begins with {' or '.join(map(repr, prefixes))}: nothing is language; mend "
            "language_prefixes in its pair.yaml"
        )
    return Backbone(names, prefixes, tuple(inserted), explicit=True)


def strays_of(model: StoredModel, language: Mapping[str, str]) -> set[str]:
    """Language model names of what is stored among the language tensors and the class neither takes nor foresees.

    Args:
        model: Whose checkpoint.
        language: Language model name to its name in memory.
    """
    begins = {
        ours.removesuffix(name.removeprefix(BODY)): BODY
        for name, ours in language.items()
        if name.startswith(BODY) and ours.endswith(name.removeprefix(BODY))
    }
    parts = {name.removeprefix(BODY).partition(".")[0] for name in language}
    found = set()
    for ours in model.unused:
        name = language_name(ours, begins)
        tail = None if name is None else _renumbered(name.removeprefix(BODY), model.configuration.text)
        if tail is not None and tail.partition(".")[0] in parts and not model.skeleton.foresees(ours):
            found.add(BODY + tail)
    return found


def language_name(name: str, prefixes: Mapping[str, str]) -> str | None:
    """The language model's name for a tensor of the VLM, by the longest prefix; None if it is not language."""
    for prefix in sorted(prefixes, key=len, reverse=True):
        if name.startswith(prefix):
            return prefixes[prefix] + name.removeprefix(prefix)
    return None


def _ordered(names: Mapping[str, str], model: Skeleton) -> dict[str, str]:
    """The same in the model's order, by which masks are drawn."""
    place = {ours: at for at, ours in enumerate(model.shapes)}
    return dict(sorted(names.items(), key=lambda item: place[item[1]]))


def _under(model: Skeleton, begin: str, config: Any) -> dict[str, str]:
    """The body's tensors, by language model name."""
    names = {}
    ends = {*_ends(model).values()}
    for name in model.shapes:
        if name.startswith(begin) and name not in ends:
            tail = _renumbered(name.removeprefix(begin), config)
            if tail is not None:
                names[BODY + tail] = name
    return names


def _ends(model: Skeleton) -> dict[str, str]:
    """Embeddings and head, by language model name."""
    names = {}
    if model.embeddings in model.shapes:
        names[EMBEDDINGS] = str(model.embeddings)
    if model.head in model.shapes:
        head = str(model.head).removesuffix("weight")
        names |= {_HEAD + name.removeprefix(head): name for name in model.shapes if name.startswith(head)}
    return names


def _renumbered(tail: str, config: Any) -> str | None:
    """A tail with the language model's number of its layer; None of a layer that this has not."""
    inserted: Iterable[int] = getattr(config, INSERTED, None) or ()
    parts = tail.split(".")
    if not inserted or parts[0] != "layers" or not parts[1].isdigit():
        return tail
    layer = int(parts[1])
    if layer in inserted:
        return None
    return ".".join(("layers", str(layer - sum(other < layer for other in inserted)), *parts[2:]))


def _beginnings(name: str) -> list[str]:
    """Every beginning of a name that ends with a dot, and none at all."""
    parts = name.split(".")
    return [".".join(parts[:count]) + "." if count else "" for count in range(len(parts))]
