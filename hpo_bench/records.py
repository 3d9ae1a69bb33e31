"""Records that this package keeps as JSON, read back into what they were, or refused."""

from pathlib import Path
from typing import Any, TypeVar

from landscapes.errors import UnreadableError
from landscapes.written import read_json

Record = TypeVar("Record")


def read_record(path: Path, kind: type[Record], *, wrong: type[Exception], cure: str, whole: bool = False) -> Record:
    """A dataclass from a file of JSON that `json.dumps(asdict(record))` wrote.

    Args:
        path: The file.
        kind: The dataclass, whose annotations say what may stand in the file.
        wrong: What to raise.
        cure: What the user can do about a damaged file.
        whole: Whether fields that have a default must be there as well, as no version ever left them out.

    Raises:
        wrong: If the file is missing, no JSON, or anything in it is not of its type.
    """
    # It takes a tenth of a second to import, and few commands read records.
    from pydantic import TypeAdapter, ValidationError

    try:
        content: Any = read_json(path)
        if whole and isinstance(content, dict) and (absent := sorted(set(kind.__annotations__) - set(content))):
            raise wrong(f"{path} is damaged: it lacks {absent[0]}; {cure}")
        return TypeAdapter(kind).validate_python(content)
    except UnreadableError as error:
        raise wrong(f"{error}; {cure}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise wrong(f"{path} is damaged at {place} ({first['msg'].lower()}); {cure}") from error
