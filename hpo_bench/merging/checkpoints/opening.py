"""Base, VLM and expert as people have them: folders, a VLM's language part, a LoRA of the base, GGUF files."""

from collections.abc import Mapping
from pathlib import Path

from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.adapter import AdaptedModel
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.checkpoints.configuration import Configuration
from hpo_bench.merging.checkpoints.gguf import is_gguf, open_gguf
from hpo_bench.merging.checkpoints.identification import made_of
from hpo_bench.merging.checkpoints.model import StoredModel
from hpo_bench.merging.source import is_adapter


def open_models(
    folders: Mapping[str, Path], sources: Mapping[str, str], *, explicit: bool, trust_remote_code: bool
) -> dict[str, StoredModel]:
    """Open "base", "vlm" and "expert".

    Args:
        folders: Where they lie.
        sources: Where they are from, as a user wrote it.
        explicit: Whether the user says which of the VLM's tensors are language.
        trust_remote_code: Whether code that comes with them may run.

    Raises:
        MergeError: If one cannot be read, or is not of the kind that its role asks for.
    """
    lora = is_adapter(folders["expert"])
    packed = {role: place for role, place in folders.items() if role != "vlm" and is_gguf(place)}
    unpacked = {place: open_gguf(place) for place in set(packed.values())}
    own = {role: folder for role, folder in folders.items() if role not in packed and not (role == "expert" and lora)}
    checkpoints = {role: Checkpoint.open(folder) for role, folder in own.items()}
    configurations = {
        role: Configuration.read(folder, trust_remote_code=trust_remote_code) for role, folder in own.items()
    }
    _check_roles(configurations, own, explicit=explicit)
    models: dict[str, StoredModel] = {role: unpacked[place] for role, place in packed.items()}
    for role, checkpoint in checkpoints.items():
        models[role] = StoredModel.of(checkpoint, configurations[role], trust_remote_code=trust_remote_code)
    if lora:
        models["expert"] = AdaptedModel.on(models["base"], folders["expert"], base_source=sources["base"])
    return {role: models[role] for role in folders}


def _check_roles(configurations: Mapping[str, Configuration], folders: Mapping[str, Path], *, explicit: bool) -> None:
    if not configurations["vlm"].sees and not explicit:
        swapped = next((role for role in ("expert", "base") if role in folders and configurations[role].sees), None)
        raise MergeError(
            f"{folders['vlm']} is given as the VLM and is a language model "
            f"({configurations['vlm'].model_type}){made_of(folders['vlm'])}; "
            + (f"are VLM and {swapped} swapped?" if swapped else "give the vision-language model")
        )
    for role, configuration in configurations.items():
        if role != "vlm" and configuration.sees and configuration.text is configuration.whole:
            raise MergeError(
                f"{folders[role]} is given as the {role} and is a vision-language model ({configuration.model_type}) "
                "whose language part transformers does not tell from the rest; give a language model"
            )
