"""The base VLM is asked a handful of questions before any trial is paid for."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from hpo_bench.display.table import Row, TextTable
from hpo_bench.errors import TuningError
from hpo_bench.evaluation.preflight import Preflight
from hpo_bench.files import write
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.workers.base import WorkerPool
from hpo_bench.tuning.workers.single_job import ask
from landscapes.errors import UnreadableError
from landscapes.written import read_json

FILE = "preflight.json"
OLD_FILE = "rehearsal.json"
"""Studies of hpo-bench 0.1 have it instead."""
_SMALL = ("*.json", "*.jinja", "*.txt", "*.model", "*.py")
_SHOWN = 100
"""How many characters of a prompt or an answer are shown."""


def of_study(
    folder: Path,
    pair: Pair,
    config: StudyConfig,
    pool: WorkerPool,
    interrupt: Interrupt,
    console: Console,
    *,
    limit: float,
    begun: bool,
    device: str = "",
) -> None:
    """Ask before the first trial, or again when something has changed since.

    Args:
        folder: The study's, which keeps what came of it.
        pair: Whose VLM is asked.
        config: What the study was begun with.
        pool: The workers, none of them busy.
        interrupt: Ends it when asked for.
        console: Where to show it.
        limit: Seconds that it may take.
        begun: Whether the study has trials, which must have been asked as the next ones will be.
        device: Where the workers run, as a kind of device; another one is asked again.

    Raises:
        TuningError: If the base VLM cannot be evaluated, so that no merge can; or if the study's trials were asked in
            another way, or answered by another backend.
        KeyboardInterrupt: If an end was asked for.
    """
    key, before = _key(pair, config, device), _read(folder)
    if before.get("key") == key:
        return
    preflight = ask(pool, interrupt, limit=limit, logs=folder / "logs")
    prompts = {answer.example: answer.prompt for answer in preflight.answers}
    old = before.get("prompts", {})
    for example in sorted(prompts.keys() & old.keys()) if begun else ():
        if prompts[example] != old[example]:
            raise TuningError(
                f"{folder}: example {example!r} is now asked as {cut(prompts[example])!r}, and was asked as "
                f"{cut(old[example])!r} in the study's trials; put tokenizer and chat template back, or begin another "
                "study with --study"
            )
    used, now = before.get("backend", {}), preflight.backend
    if begun and (other := [name for name in now if used.get(name, now[name]) != now[name]]):
        told = ", ".join(f"{name} {used[name]} (now {now[name]})" for name in other)
        raise TuningError(
            f"{folder}: the study's trials were made with {told}, and answers differ by that as they do by merges; ask "
            "for the same again (--device, `dtype` under `merge`, `attention` and `batch_size` under `evaluation` in "
            "the pair.yaml), or begin another study with --study"
        )
    show(preflight, console)
    content = {"key": key, "prompts": prompts, **asdict(preflight)}
    text = json.dumps(content, ensure_ascii=False, indent=1)
    write(folder / FILE, lambda path: path.write_text(text, encoding="utf-8", errors="replace"))
    (folder / OLD_FILE).unlink(missing_ok=True)


def show(preflight: Preflight, console: Console) -> None:
    """Print what was asked and said."""
    if not preflight.answers:
        return
    manner = f", asked {preflight.manner}" if preflight.manner else ""
    paid = f", for ${preflight.dollars:.2f}" if preflight.dollars else ""
    console.print(f"Before the first trial: the base VLM on {len(preflight.answers)} validation examples{manner}{paid}")
    rows = (Row(cut(one.prompt), (cut(one.right), cut(one.said), f"{one.score:g}")) for one in preflight.answers)
    console.print(TextTable(("prompt", "right answer", "its answer", "score"), tuple(rows), words=3).printed(wrap=True))
    show_notes(preflight.notes, console)


def show_notes(notes: tuple[str, ...], console: Console) -> None:
    """Print what a user should know."""
    for note in notes:
        console.print(f"Note: {note}.")


def cut(text: str) -> str:
    """A text in one line, and where it is long without its middle."""
    line = text.replace("\n", "\\n")
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN // 2]} ... {line[-_SHOWN // 2 :]}"


def _key(pair: Pair, config: StudyConfig, device: str) -> str:
    """Of all that decides what is asked and how it is answered."""
    digest = hashlib.sha256()
    plain = {"checkpoints": dict(config.checkpoints), "evaluation": dict(config.evaluation), "device": device}
    digest.update(json.dumps(plain, sort_keys=True, default=str).encode("utf-8", "surrogatepass"))
    for package in ("hpo-bench", "torch", "transformers"):
        digest.update(version(package).encode())
    for path in sorted({path for pattern in _SMALL for path in pair.vlm.glob(pattern)}):
        digest.update(path.name.encode("utf-8", "surrogatepass") + path.read_bytes())
    return digest.hexdigest()


def _read(folder: Path) -> Mapping[str, Any]:
    path = folder / FILE
    try:
        content = read_json(path if path.exists() else folder / OLD_FILE)
    except UnreadableError:
        return {}  # it is asked again
    prompts = content.get("prompts") if isinstance(content, dict) else None
    backend = content.get("backend", {}) if isinstance(content, dict) else None
    whole = all(
        isinstance(told, dict) and all(isinstance(one, str) for one in told.values()) for told in (prompts, backend)
    )
    return content if whole else {}
