"""A fine-tune of a VLM's language part, put back into the VLM."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.configuration import errors
from hpo_bench.merging.checkpoints.plausibility import LEAST_LIKENESS, measure, middle, total
from hpo_bench.merging.find import vlm_of
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.source import HubModel, parse_source
from hpo_bench.merging.writing.export import PROVENANCE
from hpo_bench.merging.writing.folder import check_free
from hpo_bench.merging.writing.graft import write_grafted


def graft(
    vlm: str | Path | Pair,
    language: str | Path,
    *,
    out: str | Path,
    language_prefixes: Mapping[str, str] | None = None,
    trust_remote_code: bool = False,
) -> Path:
    """Put other language weights into a VLM, such as a text fine-tune of its own; all else is the VLM's, bit for bit.

    The fine-tune may lie in either layout in which those of natively multimodal models go about: as a language model,
    or under the VLM's own names. Vocabulary rows are matched by token; processor, chat template and generation defaults
    are the VLM's.

    Args:
        vlm: A folder, `hf://owner/name`, or a pair of which the VLM is taken.
        language: The language model: a folder, or `hf://owner/name`.
        out: The folder for the VLM, new or empty.
        language_prefixes: How names of the VLM's language tensors begin, and a language model's; by default found.
        trust_remote_code: Whether code that comes with the VLM may run; it must be a pair's that asks for it.

    Returns:
        The folder.

    Raises:
        UsageError: If there is no such model, or the folder is taken.
        MergeError: If the weights do not belong into this VLM.

    Examples:
        >>> graft("hf://Qwen/Qwen3.5-4B", "my-text-finetune", out="my-vlm")  # doctest: +SKIP
    """
    found = vlm if isinstance(vlm, Pair) else vlm_of(None, vlm=str(vlm), language_prefixes=language_prefixes)
    place = parse_source(str(language), Path.cwd(), confined=False, where="language")
    put_back(found, place, Path(out), trust_remote_code=trust_remote_code)
    return Path(out)


def put_back(pair: Pair, language: Path | HubModel, folder: Path, *, trust_remote_code: bool = False) -> float:
    """Write a pair's VLM with another language model's weights, such as a fine-tune of its own language part.

    Rows are matched by token; what the VLM alone has stays, and so does what the pair leaves out of merges.

    Args:
        pair: Of which the VLM counts.
        language: A language model, in any layout that transformers reads, or a VLM of which the language part is taken.
        folder: Where the VLM goes; must not exist yet, or be empty.
        trust_remote_code: Whether code that comes with the VLM may run; the pair must ask for it as well.

    Returns:
        How far the VLM's own layers are from the new ones, as a share of those.

    Raises:
        UsageError: If the folder is taken or cannot be made.
        MergeError: If the weights do not belong into this VLM, or one cannot be read or written. Nothing is left then.
    """
    check_free(folder, apart_from=(*pair.folders, *([language] if isinstance(language, Path) else [])))
    three = replace(pair, sources={"base": language, "vlm": pair.sources["vlm"], "expert": language})
    alignment = Alignment.of(three, trust_remote_code=trust_remote_code)
    # The language model stands for base and expert, and what is wrong with it need be said once.
    if wrong := [reason for reason in errors(alignment.findings) if "the expert" not in reason]:
        said = "; ".join(wrong).replace("the base", "the language model")
        raise MergeError(f"{language} cannot be put into this VLM: {said}")
    products = total(measure(alignment, middle(alignment)))
    if (likeness := products.likeness("vlm")) < LEAST_LIKENESS:
        raise MergeError(
            f"{language} is no relative of the VLM's language part: the cosine between their weights is "
            f"{likeness:.2f}, where fine-tunes keep over 0.9; give a fine-tune of it"
        )
    told = {
        "graft": {"vlm": str(pair.sources["vlm"]), "language": str(language), "scope": asdict(pair.merge)},
        "versions": {name: version(name) for name in ("hpo-bench", "torch", "transformers", "safetensors")},
    }
    write_grafted(
        alignment,
        lambda name: alignment.triple(name).base,
        folder,
        texts=lambda _: {PROVENANCE: json.dumps(told, indent=1, ensure_ascii=False) + "\n"},
    )
    return products.size("vlm")
