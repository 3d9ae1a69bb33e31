"""Reading a benchmark: examples from any table, each of them verified before the first trial."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import IMAGE, Example
from hpo_bench.evaluation.reading import choices, conversations, pictures
from hpo_bench.evaluation.reading.annotations import Annotations
from hpo_bench.evaluation.reading.choices import INSTRUCTION, Answered, Choices, settle
from hpo_bench.evaluation.reading.columns import Columns
from hpo_bench.evaluation.reading.found_columns import CHOICES, FoundColumns, find_columns
from hpo_bench.evaluation.reading.rows import FileRow, FlawError, is_nothing, listed, text
from hpo_bench.evaluation.reading.tables import open_table
from landscapes.outcomes import EVERY

_NAMED = 3
"""How many bad rows are named; all are counted."""
_SHOWN = 12
"""How many columns that are left aside are named."""
_REFERENCE = 64
"""A cell that is shorter may be the id of the row that has its picture, as in the files of VLMEvalKit."""
_NOTHING = FoundColumns({}, lettered=False, kept=(), ignored=(), asks_choices=False)


@dataclass(frozen=True, slots=True)
class ExampleSet:
    """Examples, and how they were understood.

    Attributes:
        examples: All of them, in their order.
        notes: What a user should know of it, a sentence each, such as which columns were left aside.
    """

    examples: tuple[Example, ...]
    notes: tuple[str, ...] = ()


def read_examples(path: Path, columns: Columns | None = None) -> tuple[Example, ...]:
    """The examples alone; arguments and errors as for `read_table`."""
    return read_table(path, columns).examples


def read_table(path: Path, columns: Columns | None = None, *, images: Path | None = None) -> ExampleSet:
    """Read and verify examples: every text, and every picture by decoding it.

    A row has `question` and `answer`, or a chat under `messages` or `conversations`, and may have `image` or `images`,
    `choices`, `category` ("all" without one) and `id`; other columns are named by `columns` or left aside. Texts may be
    numbers; of a list of answers each is right, and what most people gave is shown. Where there are choices, they stand
    under the question, and the answer is a letter. Pictures are as `pictures.gather` takes them. Without an id the
    content's hash is one, so that the split does not depend on the order; without `<image>` in the question the
    pictures come first.

    Args:
        path: As for `open_table`.
        columns: What the columns are called.
        images: Where paths of pictures begin; by default the folder of the examples.

    Raises:
        UsageError: If the file cannot be read, or a row makes no sense or has the id, or all of the content, of
            another; all such rows are counted and the first few named.
    """
    columns = columns or Columns()
    table = open_table(path)
    annotations = Annotations(path, table, columns) if columns.annotations else None
    # A file without one good row has no columns, and its rows say why.
    found = find_columns(table, columns, annotations.names if annotations else ()) if table.names else _NOTHING
    rows = list(table.rows(found.kept))
    if not rows:
        raise UsageError(f"{path}: holds no examples; add some")
    if annotations:
        rows = [annotations.add(row, found) for row in rows]
    places = [f"{row.where}{_named(row, found)}" for row in rows]
    reader = _Reader(found, images or table.folder)
    examples, flaws = reader.read(dict(zip(places, rows, strict=True)), columns.limit)
    if flaws:
        some = [f"{where}: {flaws[where]}" for where in places if where in flaws]
        more = f"; and {len(some) - _NAMED} more" if len(some) > _NAMED else ""
        raise UsageError(
            f"{path}: {len(some)} of {len(places)} examples cannot be used: {'; '.join(some[:_NAMED])}{more}"
        )
    shown = {data for one in examples for data in one.images}
    if transparent := sum(map(pictures.is_transparent, shown)):
        reader.notes.append(f"{transparent} pictures are transparent, and lie on white, where processors put them")
    if frames := sum(map(pictures.has_frames, shown)):
        reader.notes.append(f"{frames} pictures have several frames or pages, of which the first is shown")
    return ExampleSet(tuple(examples), tuple(reader.notes))


@dataclass(frozen=True, slots=True)
class _Draft:
    """An example whose choices are not settled, and whose pictures are not read yet."""

    row: FileRow
    key: str  # its id, or where it has none its texts and what its pictures are called
    question: str
    answer: Any
    others: Any
    images: Any
    choices: Choices | None
    before: tuple[tuple[str, str], ...] = ()


class _Reader:
    """Makes examples of rows.

    Args:
        found: Where their parts stand.
        folder: Where paths of pictures begin.

    Attributes:
        notes: What a user should know of the rows read.
    """

    def __init__(self, found: FoundColumns, folder: Path) -> None:
        self._found, self._folder = found, folder
        self.notes: list[str] = []
        self._counts: Counter[str] = Counter()

    def read(self, rows: Mapping[str, FileRow], limit: int) -> tuple[list[Example], dict[str, str]]:
        """Examples, and what is wrong with those rows of which none can be made."""
        drafts: dict[str, _Draft] = {}
        flaws: dict[str, str] = {}
        for where, row in rows.items():
            try:
                drafts[where] = self._draft(row)
            except FlawError as flaw:
                flaws[where] = str(flaw)
        offered: dict[str, Answered] = {}
        for where, one in drafts.items():
            if one.choices:
                try:
                    offered[where] = Answered.of(one.choices, _single(one.answer))
                except FlawError as flaw:
                    flaws[where] = str(flaw)
        letters, unsettled, how = settle(offered)
        flaws |= unsettled
        pictured = {one.key: one.images for one in drafts.values() if pictures.is_base64(one.images)}
        if limit and len(drafts) > limit:
            drafts = _drawn(drafts, limit)
            self.notes.append(f"{limit} of {len(rows)} examples are taken, drawn by a hash of their ids")
        examples: dict[str, Example] = {}
        first: dict[str, str] = {}
        for where, draft in drafts.items():
            if where in flaws:
                continue
            try:
                example = self._example(draft, letters.get(where, ""), pictured)
            except FlawError as flaw:
                flaws[where] = str(flaw)
                continue
            examples[where] = example
            if (before := first.setdefault(example.id, where)) != where:
                named = not is_nothing(self._get("id", draft.row))
                flaws[where] = (
                    f"has the id of {before}; give each its own"
                    if named
                    else f"is the same as {before}; leave it out, or give each an id"
                )
        flaws |= _bad_pictures(examples)
        self._tell(how, len(offered))
        return list(examples.values()), flaws

    def _get(self, part: str, row: FileRow) -> Any:
        get = self._found.get.get(part)
        return None if get is None else get(row.values)

    def _draft(self, row: FileRow) -> _Draft:
        if row.flaw:
            raise FlawError(row.flaw)
        offered = choices.parse(self._get("choices", row), columns=self._found.lettered)
        images = self._get("image", row)
        if "turns" in self._found.get:
            chat = conversations.parse(self._get("turns", row))
            self._counts["turns"] += len(chat.before) > 1
            self._counts["system"] += bool(chat.before) and chat.before[0][0] == "system"
            if chat.images and pictures.several(images):
                raise FlawError("has pictures in its chat and beside it; leave one of them out")
            images = list(chat.images) or images
            question, answer, before = chat.question, chat.answer, chat.before
        else:
            if self._found.asks_choices:
                row = replace(row, values={**row.values, CHOICES: offered.shown if offered else ""})
            question = text(self._get("question", row), "question", may_be_empty=True)
            if offered and not self._found.asks_choices:
                question = f"{question}\n{offered.shown}\n{INSTRUCTION}"
            answer = self._get("answer", row)
            before = conversations.said_before(self._get("before", row))
        told = [*(said for _, said in before), f"{question}\0{answer}"]
        key = self._optional("id", row) or "\0".join([*told, *pictures.names(images)])
        return _Draft(row, key, question, answer, self._get("others", row), images, offered, before)

    def _example(self, draft: _Draft, letter: str, pictured: Mapping[str, Any]) -> Example:
        answer, *others = (letter,) if letter else _answers(draft.answer)
        others += [text(one, "one of others") for one in draft.others or ()]
        self._counts["several"] += bool(others)
        question, found = pictures.in_order(draft.question, draft.images)
        if isinstance(found, str) and len(found) < _REFERENCE:
            found = pictured.get(found.strip(), found)
        images = pictures.gather(found, self._folder)
        if not question.strip() and not images:
            raise FlawError("question is empty")
        spoken = [*draft.before, ("user", question)]
        marks = sum(said.count(IMAGE) for _, said in spoken)
        if marks not in (0, len(images)):
            cure = "" if images else " (`image` says which column they are in; without any leave it out)"
            raise FlawError(f"{marks} times {IMAGE} in the question, but {len(images)} pictures{cure}")
        if images and not marks:
            first = next(place for place, (role, _) in enumerate(spoken) if role == "user")
            spoken[first] = ("user", f"{IMAGE * len(images)}\n{spoken[first][1]}")
        *before, (_, question) = spoken
        told = [question, answer, *others, *(f"{role}\0{said}" for role, said in before)]
        digest = hashlib.sha256("\0".join(told).encode() + b"\0".join(images)).hexdigest()
        return Example(
            self._optional("id", draft.row) or digest[:16],
            self._optional("category", draft.row) or EVERY,
            question,
            images,
            answer,
            others=tuple(others),
            before=tuple(before),
        )

    def _optional(self, part: str, row: FileRow) -> str:
        value = self._get(part, row)
        return "" if is_nothing(value) else text(value, part)

    def _tell(self, how: str, offered: int) -> None:
        counts, ignored = self._counts, self._found.ignored
        if offered:
            self.notes.append(f"{offered} questions offer choices; their answers are read as {how}")
        if counts["several"]:
            self.notes.append(f"{counts['several']} questions have several right answers, each of which is right")
        if counts["turns"]:
            self.notes.append(f"of {counts['turns']} chats with several turns the last answer is asked")
        if counts["system"]:
            self.notes.append(
                f"{counts['system']} chats have a system prompt of their own, which goes before the question"
            )
        if ignored:
            more = f" and {len(ignored) - _SHOWN} more" if len(ignored) > _SHOWN else ""
            shown = ", ".join(name or "one without a name" for name in ignored[:_SHOWN])
            self.notes.append(f"columns left aside: {shown}{more}")


def _single(value: Any) -> Any:
    """The one answer of a list of one."""
    value = listed(value)
    return value[0] if isinstance(value, list | tuple) and len(value) == 1 else value


def _answers(value: Any) -> list[str]:
    """Right answers: first what most people gave, then all others as often as they were given."""
    value = listed(value)
    if not isinstance(value, list | tuple):
        return [text(value, "answer")]
    given = [one for one in value if not is_nothing(one)]
    if any(isinstance(one, Mapping) for one in given):
        keys = ", ".join(map(str, next(one for one in given if isinstance(one, Mapping))))
        raise FlawError(f"answer is a list of mappings with {keys}; name one, as in `answer: COLUMN.KEY`")
    texts = [text(one, "answer") for one in given]
    if not texts:
        raise FlawError("answer is missing")
    commonest = Counter(texts).most_common(1)[0][0]
    texts.remove(commonest)
    return [commonest, *texts]


def _drawn(drafts: Mapping[str, _Draft], limit: int) -> dict[str, _Draft]:
    """So many, by a hash that has nothing to do with the one that decides the split."""

    def key(item: tuple[str, _Draft]) -> bytes:
        return hashlib.sha256(f"draw\0{item[1].key}".encode("utf-8", "replace")).digest()

    kept = {where for where, _ in sorted(drafts.items(), key=key)[:limit]}
    return {where: draft for where, draft in drafts.items() if where in kept}


def _named(row: FileRow, found: FoundColumns) -> str:
    get = found.get.get("id")
    try:
        value = None if get is None else get(row.values)
    except FlawError:
        return ""
    known = not is_nothing(value) and isinstance(value, str | int | float)
    return f" (id {str(value)[:60]!r})" if known else ""


def _bad_pictures(examples: Mapping[str, Example]) -> dict[str, str]:
    owners = [(where, place) for where, one in examples.items() for place in range(len(one.images))]
    flaws = pictures.verify([examples[where].images[place] for where, place in owners])
    found: dict[str, str] = {}
    for (where, place), flaw in zip(owners, flaws, strict=True):
        if flaw:
            found.setdefault(where, f"picture {place + 1} {flaw}")
    return found
