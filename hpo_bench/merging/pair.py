"""A VLM, an expert and their common base: where they lie, and what is said of them."""

import glob
import hashlib
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hpo_bench.errors import UsageError
from hpo_bench.merging.manifest import FACTS, FILE, ROLES, Manifest, PairFacts
from hpo_bench.merging.scope import MergeScope
from hpo_bench.merging.source import ADAPTER, INDEX, HubModel, is_adapter, parse_path, parse_source
from landscapes.errors import UnreadableError
from landscapes.written import read_json

_PACKAGE = Path(__file__).absolute().parents[1]
_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(PairFacts):
    """Three models that can be merged, as a `pair.yaml` or three paths say.

    Attributes:
        folder: What its paths start from; a `pair.yaml` names nothing outside it, but for models on the hub.
        sources: Where "base", "vlm" and "expert" lie: a folder, or a model on the hub.
        file: The YAML file that it was read from; None if it is of three places.
        examples_file: The benchmark's examples, a parquet file; None if it has none of its own.
        typed: Options of a command line by which its evaluation is not that of its file.
    """

    folder: Path
    sources: Mapping[str, Path | HubModel]
    file: Path | None = None
    examples_file: Path | None = None
    typed: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Pair":
        """Read a pair's description.

        Args:
            path: A YAML file, or a folder with a `pair.yaml`.

        Raises:
            UsageError: If the file is missing, is not YAML, lacks a key, has one that is unknown or of the wrong type,
                or names a path outside its folder.
        """
        file = path / FILE if path.is_dir() or path.suffix not in (".yaml", ".yml") else path
        told, folder = Manifest.read(file), file.parent
        return cls(
            folder=folder,
            file=file,
            sources={
                role: parse_source(getattr(told, role), folder, confined=True, where=f"{file}: {role}")
                for role in ROLES
            },
            examples_file=parse_path(told.examples, folder, confined=True, where=str(file)) if told.examples else None,
            **{key: getattr(told, key) for key in FACTS},
        )

    @classmethod
    def of(
        cls,
        *,
        base: str,
        vlm: str,
        expert: str,
        name: str = "pair",
        merge: MergeScope | None = None,
        language_prefixes: Mapping[str, str] | None = None,
    ) -> "Pair":
        """A pair of three paths or hub models (`hf://owner/name`), which may lie anywhere.

        Raises:
            UsageError: If one does not exist.
        """
        here = Path.cwd()
        given = {"base": base, "vlm": vlm, "expert": expert}
        sources = {role: parse_source(text, here, confined=False, where=f"--{role}") for role, text in given.items()}
        return cls(
            folder=here,
            name=name,
            sources=sources,
            merge=merge or MergeScope(),
            language_prefixes=language_prefixes or {},
        )

    @property
    def described_in(self) -> Path:
        """The file that says so; of a pair of three places the one that would."""
        return self.file or self.folder / FILE

    @property
    def base(self) -> Path:
        """Folder of the common base language model; fetched if it is on the hub and not here yet."""
        return self._local("base")

    @property
    def vlm(self) -> Path:
        """Folder of the vision-language model; fetched if it is on the hub and not here yet."""
        return self._local("vlm")

    @property
    def expert(self) -> Path:
        """Folder of the expert language model; fetched if it is on the hub and not here yet."""
        return self._local("expert")

    @property
    def examples(self) -> Path:
        """The benchmark's examples: what the evaluation names (a file, a folder, or a pattern), or else the pair's own.

        Raises:
            UsageError: If neither names one, or what the evaluation names is not there.
        """
        named = self.evaluation.get("examples")
        if named is not None:
            where = f"{self.described_in}, evaluation"
            if not isinstance(named, str):
                raise UsageError(f"{where}: examples must be a path, not {str(named)[:80]!r}")
            if glob.has_magic(named) and not (self.folder / named).exists():
                # The fixed part must be there, and everything that the pattern finds lies below it.
                fixed, _, _ = named.partition(next(part for part in Path(named).parts if glob.has_magic(part)))
                return parse_path(fixed or ".", self.folder, confined=True, where=where) / named[len(fixed) :]
            return parse_path(named, self.folder, confined=True, where=where)
        if self.examples_file is None:
            raise UsageError(
                f"pair {self.name!r} has no examples of its own; name a file as `examples` in its {FILE}, or "
                "another evaluator under `evaluation`"
            )
        return self.examples_file

    @property
    def arguments(self) -> str:
        """How a command is told of this pair."""
        return self._told(ROLES)

    @property
    def arguments_of_vlm(self) -> str:
        """How a command that asks for a VLM alone is told of this pair's."""
        return self._told(("vlm",))

    def _told(self, roles: Iterable[str]) -> str:
        if self.file:
            return shlex.quote(self._place(self.file))
        prefixes = [f"--language-prefix {ours}={theirs}" for ours, theirs in self.language_prefixes.items()]
        return " ".join([*(f"--{role} {shlex.quote(str(self.sources[role]))}" for role in roles), *prefixes])

    def _place(self, file: Path) -> str:
        """What finds its file: the name of a pair that comes with this package, of another one the place.

        That is from where the user stands, or else from above its folder: a published file need not tell where that is.
        """
        file, here = file.absolute(), Path.cwd()
        if file.is_relative_to(_PACKAGE):
            return self.name
        place = file.relative_to(here if file.parent.is_relative_to(here) else file.parent.parent)
        return str(place.parent if place.name == FILE and place.parent.name else place)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders of those models that are not on the hub."""
        return tuple(source for source in self.sources.values() if isinstance(source, Path))

    def described_sources(self) -> dict[str, str]:
        """Where each role's model is from; within the pair's folder, the path from there."""
        described = {}
        for role, source in self.sources.items():
            if isinstance(source, Path) and self.file is not None:
                source = source.relative_to(self.folder.resolve())  # a published file need not tell where that is
            described[role] = str(source)
        return described

    def file_hashes(self) -> dict[str, dict[str, str]]:
        """SHA-256 of every file of each role that decides its weights, and of the examples if there are any."""
        found = {}
        for role in ROLES:
            folder = self._local(role)
            if folder.is_file():  # GGUF
                found[role] = {folder.name: _sha256(folder)}
                continue
            names = {path.name for path in folder.glob("*.safetensors")} | _shards_below(folder)
            if is_adapter(folder):
                names.add(ADAPTER)  # by how much its steps are multiplied
            found[role] = {name: _sha256(folder / name) for name in sorted(names)}
        if self.examples_file is not None or "examples" in self.evaluation:
            found["examples"] = {name: _sha256(path) for name, path in self._examples_files().items()}
        return found

    def _examples_files(self) -> dict[str, Path]:
        """What decides the examples, but for pictures that lie beside them, by path from where they all lie."""
        place, annotations = self.examples, self.evaluation.get("annotations")
        if place.is_file():
            root, files = place.parent, [place]
        elif place.is_dir():
            root, files = place, [path for path in place.rglob("*") if path.suffix.lower() not in _PICTURES]
        else:
            root = next(folder for folder in place.parents if not glob.has_magic(str(folder)))
            files = [Path(name) for name in glob.glob(str(place), recursive=True)]
        if isinstance(annotations, str):
            files.append(root / annotations)
        return {path.relative_to(root).as_posix(): path for path in sorted(files) if path.is_file()}

    def _local(self, role: str) -> Path:
        source = self.sources[role]
        return source if isinstance(source, Path) else source.fetch(code=self.trust_remote_code)


def _shards_below(folder: Path) -> set[str]:
    """Paths of the shards that lie in folders of the model's folder, where its index names such."""
    try:
        places = read_json(folder / INDEX)["weight_map"].values()
        return {place for place in places if "/" in place and (folder / place).is_file()}
    except (UnreadableError, KeyError, TypeError, AttributeError):  # told of when the checkpoint is opened
        return set()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
