"""A VLM's processor: what makes tensors of text and pictures."""

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hpo_bench.display.words import first_line
from hpo_bench.errors import MergeError
from landscapes.written import read_json

_FILES = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
_VIDEOS = "video_processor"


def load_processor(folder: Path, *, trusted: bool = False) -> Any:
    """The processor of a folder.

    transformers looks at videos through torchvision alone, and so refuses whole processors where it is missing. Nobody
    shows videos here: such a processor is made without them.

    Args:
        folder: With the files of a VLM.
        trusted: Whether code that comes with it may run.

    Returns:
        A Hugging Face processor; None if the folder holds none.

    Raises:
        MergeError: If it cannot be loaded, or needs torchvision and that is missing.
    """
    from transformers import AutoProcessor

    if not any((folder / name).is_file() for name in _FILES[:2]):
        return None
    try:
        return AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=trusted)
    except Exception as error:  # whatever a broken file makes transformers raise
        if (still := _without_videos(folder)) is not None:
            return still
        reason = first_line(error)
        if "torchvision" in str(error).lower():
            reason = (
                "it needs torchvision, which "
                + (f"does not work here ({reason})" if find_spec("torchvision") else "is missing")
                + "; install the build that belongs to your torch: pip install 'hpo-bench[vision]'"
            )
        raise MergeError(f"{folder}: its processor cannot be loaded: {reason}") from error


_SAME = {
    "image_processor.image_grid_pinpoints": "image_grid_pinpoints",
    "patch_size": "vision_config.patch_size",
    "image_processor.patch_size": "vision_config.patch_size",
    "image_processor.temporal_patch_size": "vision_config.temporal_patch_size",
    "image_processor.merge_size": "vision_config.spatial_merge_size",
    "spatial_merge_size": "spatial_merge_size",
    "vision_feature_select_strategy": "vision_feature_select_strategy",
    "image_seq_len": "perceiver_config.resampler_n_latents",
    "image_seq_length": "mm_tokens_per_image",
}
"""What a processor counts places for a picture by, and by what the model fills them."""


def disagreements(processor: Any, config: Any) -> list[str]:
    """What processor and configuration of a VLM say otherwise of how many tokens a picture takes, for sentences.

    The model raises then, at every picture or at those of certain sizes alone.

    Args:
        processor: A Hugging Face processor, or None.
        config: The model's configuration.
    """
    found = []
    # Where the model draws patches together after its encoder, processors count by what it makes of them.
    merges = getattr(config, "downsample_factor", None) is not None
    for theirs, ours in _SAME.items():
        if merges and ours == "vision_config.patch_size":
            continue
        counted, filled = _at(processor, theirs), _at(config, ours)
        if counted is not None and filled is not None and counted != filled:
            found.append(f"{theirs} is {counted} in its processor's files, and {ours} is {filled} in config.json")
    return found


def _at(thing: Any, path: str) -> Any:
    """A number, a word, or a list of lists of numbers; None where there is none, or what cannot be compared."""
    for name in path.split("."):
        thing = getattr(thing, name, None)
    if isinstance(thing, list | tuple):
        return sorted(list(one) if isinstance(one, list | tuple) else [one] for one in thing)
    return thing if isinstance(thing, int | str) else None


def chat_template(processor: Any) -> Any:
    """The chat template that comes with a processor or its tokenizer; None if there is none."""
    own = getattr(processor, "chat_template", None)
    return own or getattr(getattr(processor, "tokenizer", None), "chat_template", None) or None


class _WithoutVideos(type):
    """Processors' classes that are made without videos, even if what makes them wants something there."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """A processor of parts in the order of its attributes."""
        kind: Any = cls
        named = dict(zip(kind.get_attributes(), args, strict=False))
        return super().__call__(**{**named, **kwargs, _VIDEOS: None})


def without_videos(kind: Any) -> Any:
    """A class of processors that is another but for videos.

    Args:
        kind: A processor's class; one that takes no videos comes back as it is.
    """
    from transformers import ProcessorMixin

    if _VIDEOS not in kind.get_attributes():
        return kind

    class Parts(ProcessorMixin):
        """Keeps what the class was given, but for what there is not."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kept = {name: value for name, value in kwargs.items() if name != _VIDEOS}
            super().__init__(*(one for one in args if one is not None), **kept)

    def get_attributes(cls: Any) -> list[str]:
        return [name for name in super(still, cls).get_attributes() if name != _VIDEOS]

    # It bears the name of the other, under which it is saved and found again. SmolVLM's asks how it looks at videos
    # whenever it renders its chat template.
    body = {
        "get_attributes": classmethod(get_attributes),
        "__module__": kind.__module__,
        _VIDEOS: SimpleNamespace(num_frames=None, fps=None),
    }
    still = _WithoutVideos(kind.__name__, (kind, Parts), body)
    return still


def _without_videos(folder: Path) -> Any:
    """The processor but for videos; None if it never wanted any, or cannot be had even so."""
    try:
        kind = _kind(folder)
        if kind is None or _VIDEOS not in kind.get_attributes():
            return None
        return without_videos(kind).from_pretrained(folder, local_files_only=True)
    except Exception:  # the error that it had with videos is told
        return None


def _kind(folder: Path) -> Any:
    """The class that transformers has for a folder's processor; None if it cannot be told."""
    from transformers import AutoConfig
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING, processor_class_from_name

    for name in _FILES:
        path = folder / name
        if path.is_file() and (named := read_json(path, wrong=MergeError).get("processor_class")):
            return processor_class_from_name(named)
    return PROCESSOR_MAPPING.get(type(AutoConfig.from_pretrained(folder, local_files_only=True)), None)
