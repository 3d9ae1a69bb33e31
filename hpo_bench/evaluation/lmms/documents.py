"""Documents of lmms-eval's tasks as examples: which task each is of, and what the model is asked about it."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.examples import IMAGE, Example
from hpo_bench.evaluation.reading.pictures import in_rgb
from surrogates.spelling import did_you_mean

ID_FIELDS = ("id", "pid", "question_id", "qid", "sample_index", "index", "uid")
"""Columns that name a document, the likeliest first."""
_NO_PICTURE = "[image]"


@dataclass(frozen=True, slots=True)
class Document(Example):
    """A document of a task. Pictures are decoded only when it is asked about, as a benchmark's fill gigabytes.

    Attributes:
        task: Name of the task.
        number: Its row in the task's data.
        own_id: Its id within the task, which decides the split: tasks that ask about the same documents in several
            ways then have them on the same side.
    """

    task: str
    number: int
    own_id: str

    @property
    def drawn(self) -> float:
        """By a hash of its own id."""
        return Example(self.own_id, "", "", (), "").drawn


def part(module: str) -> Any:
    """A module of lmms-eval.

    Raises:
        UsageError: If the package is not installed, or lacks something that it needs.
    """
    # It tells of every step on the terminal, at this level unless the user asked for another.
    os.environ.setdefault("LOGURU_LEVEL", "WARNING")
    try:
        return import_module(f"lmms_eval.{module}")
    except (ImportError, RuntimeError) as error:  # torchvision of another build than torch raises the latter
        raise UsageError(
            f"evaluations of kind lmms-eval need the package lmms-eval: pip install 'hpo-bench[lmms]' ({error})"
        ) from error


def load_tasks(names: Sequence[str], *, include: Path | None, model_name: str | None, source: str) -> dict[str, Any]:
    """Tasks by name, groups and tags resolved into those that they consist of.

    Args:
        names: Of lmms-eval's own tasks or of the folder's.
        include: Folder with tasks of the user's; their relative paths begin there.
        model_name: Whose prompts are taken, where a task has prompts by model.
        source: Where the names stand, for messages.

    Raises:
        UsageError: If there is no such task, or it asks in a way that cannot be answered here.
        EvaluationError: If a task's data or judge is not there.
    """
    manager = _manager(names, include, model_name)
    for name in names:
        if name not in manager.all_tasks:
            hint = did_you_mean(name, manager.all_tasks, at_most=3)
            raise UsageError(f"{source}: lmms-eval has no task {name!r}; {hint}`lmms-eval --tasks list` prints all")
    part("api.task").datasets.disable_progress_bars()
    found: dict[str, Any] = {}
    for name in names:
        try:
            with chdir(include) if include else nullcontext():
                found |= dict(_leaves(manager.load_task_or_group(name, "chat")))
        except Exception as error:  # no network, no access, no key, a broken task: whatever its code raises
            raise _unavailable(name, cause_of(error)) from error
    for name, task in found.items():
        _check(name, task, source)
        _strip_thinking(task)
    return found


def documents_of(tasks: Mapping[str, Any], *, id_field: str | None, source: str) -> tuple[Document, ...]:
    """All documents of all tasks, without their pictures.

    Args:
        tasks: As loaded.
        id_field: The column that names a document; by default the first of `ID_FIELDS` that does so uniquely, and
            without one the hash of what the document holds.
        source: Where the evaluation stands, for messages.

    Raises:
        UsageError: If the column is missing, or two documents share an id.
    """
    documents = []
    for name, task in tasks.items():
        docs = task.eval_docs_no_media
        for number, (doc, own) in enumerate(zip(docs, _ids(docs, id_field, f"{source}: task {name}"), strict=True)):
            category = doc.get("category")
            documents.append(
                Document(
                    id=own if len(tasks) == 1 else f"{name}/{own}",
                    category=category if isinstance(category, str) else name,
                    question=str(task.doc_to_text(doc)),
                    images=(),
                    answer=str(task.doc_to_target(doc)),
                    task=name,
                    number=number,
                    own_id=own,
                )
            )
    return tuple(documents)


def asked(document: Document, *, tasks: Mapping[str, Any]) -> Document:
    """The same document with its pictures, and `<image>` in the question where each goes.

    Raises:
        EvaluationError: If the task asks with something other than text and pictures in one turn.
    """
    task = tasks[document.task]
    turns = task.doc_to_messages(task.eval_docs[document.number])
    if len(turns) != 1 or turns[0]["role"] != "user":
        raise EvaluationError(f"{document.id} of {document.task} is no single question: {len(turns)} turns")
    parts = turns[0]["content"]
    pictures = [one["url"] for one in parts if one["type"] == "image"]
    strange = {one["type"] for one in parts} - {"image", "text"}
    if strange or not all(isinstance(picture, Image.Image) for picture in pictures):
        raise EvaluationError(f"{document.id} of {document.task} asks with {strange or 'pictures by address'}")
    return replace(document, question=_question(parts, len(pictures)), images=tuple(map(_png, pictures)))


def _question(parts: Sequence[Mapping[str, Any]], pictures: int) -> str:
    texts = [one["text"] for one in parts if one["type"] == "text"]
    if pictures and sum(text.count(IMAGE) for text in texts) == pictures:
        return "".join(texts)  # LLaVA's way: the text itself says where they go
    pieces = [IMAGE if one["type"] == "image" else one["text"].replace(IMAGE, _NO_PICTURE) for one in parts]
    # A line between pictures and text, none between pictures.
    return "\n".join(pieces).replace(f"{IMAGE}\n{IMAGE}", f"{IMAGE}{IMAGE}")


def _png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    in_rgb(picture).save(buffer, "PNG", compress_level=0)  # it is decoded again at once
    return buffer.getvalue()


def _manager(names: Sequence[str], include: Path | None, model_name: str | None) -> Any:
    tasks = part("tasks")
    if include:
        own = tasks.TaskManager(include_path=str(include), include_defaults=False, model_name=model_name)
        if set(names) <= set(own.all_tasks):
            return own  # reading the two thousand others takes ten seconds
    return tasks.TaskManager(include_path=str(include) if include else None, model_name=model_name)


def _leaves(tree: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for name, task in tree.items():
        if isinstance(task, Mapping):
            yield from _leaves(task)
        else:
            yield str(name), task


def cause_of(error: BaseException) -> BaseException:
    """What lmms-eval, which tries many things five times and raises that it did, came to grief on."""
    attempt = getattr(error, "last_attempt", None)
    return error if attempt is None else attempt.exception() or error


def _unavailable(name: str, error: BaseException) -> EvaluationError:
    first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if "api_key" in str(error) or "credentials" in str(error).lower():
        return EvaluationError(
            f"lmms-eval's task {name!r} asks a judge model: set OPENAI_API_KEY, or API_TYPE and that service's "
            f"variables, as lmms-eval documents them ({first})",
            kind="judge",
        )
    return EvaluationError(
        f"lmms-eval's task {name!r} cannot be loaded: {first}; data on the hub need a network, and some `hf auth login`"
    )


def _check(name: str, task: Any, source: str) -> None:
    if not hasattr(task, "doc_to_messages") or task.OUTPUT_TYPE != "generate_until":
        raise UsageError(
            f"{source}: task {name!r} is of type {task.OUTPUT_TYPE!r}; only answers by generate_until are scored"
        )
    if (task.config.repeats or 1) > 1 or (task.config.num_fewshot or 0) > 0:
        raise UsageError(f"{source}: task {name!r} repeats questions or shows examples first, which is not supported")


def _strip_thinking(task: Any) -> None:
    """What lmms-eval's own loop does for tasks that ask for it."""
    if getattr(task.config, "auto_strip_thinking", False) and getattr(task.config, "reasoning_tags", None) is None:
        for ensemble in task._filters:
            ensemble.filters.insert(0, part("filters.transformation").StripThinkingFilter())


def _ids(docs: Any, field: str | None, source: str) -> list[str]:
    if field is not None and field not in docs.column_names:
        raise UsageError(f"{source} has no column {field!r}; there are: {', '.join(docs.column_names)}")
    for column in [field] if field else [name for name in ID_FIELDS if name in docs.column_names]:
        values = [str(value) for value in docs[column]]
        if len(set(values)) == len(values):
            return values
        if field:
            twice = Counter(values).most_common(1)[0][0]
            raise UsageError(f"{source}: two documents have the {field} {twice!r}; name another column as id_field")
    hashes = [hashlib.sha256(json.dumps(doc, sort_keys=True, default=str).encode()).hexdigest()[:16] for doc in docs]
    seen: Counter[str] = Counter()
    ids = []
    for digest in hashes:
        # Only pictures tell these apart.
        ids.append(f"{digest}-{seen[digest]}" if seen[digest] else digest)
        seen[digest] += 1
    return ids
