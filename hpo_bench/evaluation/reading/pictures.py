"""Pictures as people have them: bytes, paths, structs of data sets; each is decoded once before anything is paid."""

import base64
import binascii
import hashlib
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from hpo_bench.evaluation.examples import IMAGE
from hpo_bench.evaluation.reading.rows import FlawError, is_nothing, listed

MOST_PIXELS = 89_478_485
"""Above so many pixels (a quarter of a gigabyte of RGB) Pillow warns of a decompression bomb; no VLM sees as many."""
# Not whatever Pillow knows: for some formats it starts another program.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
_PLAIN = {"RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr"}
_UNBOUNDED = {"I": "32 bits", "F": "fractions"}
"""Modes without a brightest value; Pillow takes 255 for it, and shows most such pictures all white or all black."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its orientation in EXIF."""
_SIDEWAYS = {_TURNS[orientation] for orientation in (5, 6, 7, 8)}
_THREADS = 8
# PNG, JPEG, WebP, GIF, TIFF and BMP.
_BEGINNINGS = ("iVBORw0KGgo", "/9j/", "UklGR", "R0lGOD", "SUkqA", "TU0AK", "Qk")
_NUMBERED = re.compile(r"<image ?(\d{1,2})>")
_SHORTEST = 64
"""So long is no path that begins as one of these does, and no picture in base64 is shorter."""


class Slots(tuple[Any, ...]):
    """Pictures of several columns; empty ones keep their places, as `<image 2>` in a question is the second's."""


def gather(value: Any, folder: Path) -> tuple[bytes, ...]:
    """The pictures of an example.

    Args:
        value: One picture, or a list of them, or nothing. A picture is bytes; a path from the examples' folder; base64,
            with or without `data:image/...;base64,` before it; or a mapping with `bytes`, `path` or `url`, as Hugging
            Face datasets and chat messages have it.
        folder: Where paths begin, and what they must not lead out of.

    Raises:
        FlawError: If a picture is none of these or cannot be read.
    """
    return tuple(_content(one, folder, f"picture {place}") for place, one in enumerate(several(value), start=1))


def in_order(question: str, images: Any) -> tuple[str, Any]:
    """A question and its pictures, where `<image 2>`, or `<image2>`, stands for the second."""
    slots = list(images) if isinstance(images, Slots) else None
    places = [int(number) - 1 for number in _NUMBERED.findall(question)]
    if slots is None and not places:
        return question, images
    every = slots if slots is not None else several(images)
    if not places:
        return question, [one for one in every if several(one)]
    for place in places:
        if not 0 <= place < len(every) or not several(every[place]):
            raise FlawError(f"its question shows <image {place + 1}>, and there is no such picture")
    unasked = [one for place, one in enumerate(every) if place not in places and several(one)]
    before = "".join(f"{IMAGE}\n" for _ in unasked)
    return before + _NUMBERED.sub(IMAGE, question), [*unasked, *(every[place] for place in places)]


def names(value: Any) -> list[str]:
    """What tells pictures in a cell from others without reading a file: hashes of paths, bytes or base64."""
    told = []
    for one in several(value):
        inner = (
            next((one[key] for key in ("bytes", "path", "url") if one.get(key)), "")
            if isinstance(one, Mapping)
            else one
        )
        held = inner if isinstance(inner, bytes) else str(inner).encode("utf-8", "replace")
        told.append(hashlib.sha256(held).hexdigest())
    return told


def is_base64(value: Any) -> bool:
    """Whether a text is a picture in base64 without a word of what it is, as tables have it, and no path."""
    return isinstance(value, str) and len(value) >= _SHORTEST and value.startswith(_BEGINNINGS)


def verify(pictures: Sequence[bytes]) -> list[str]:
    """Decode every picture once.

    Args:
        pictures: n encoded pictures; equal ones are decoded once.

    Returns:
        For each what is wrong with it, or "".
    """
    distinct = list(dict.fromkeys(pictures))
    with warnings.catch_warnings(), ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore")  # of what Pillow can repair, and of what is refused here anyway
        found = dict(zip(distinct, pool.map(_flaw, distinct), strict=True))
    return [found[picture] for picture in pictures]


def is_transparent(data: bytes) -> bool:
    """Whether a picture has transparent places, which lie on white when it is shown; only its header is read."""
    with Image.open(BytesIO(data), formats=FORMATS) as picture:
        return picture.has_transparency_data


def has_frames(data: bytes) -> bool:
    """Whether a picture moves, or has pages, of which the first is shown alone."""
    with Image.open(BytesIO(data), formats=FORMATS) as picture:
        try:
            picture.seek(1)
        except Exception:  # there is none, or whatever a decoder raises for a file that breaks off behind the first
            return False
        # What phones keep behind a JPEG, such as how bright its places are, is no further picture.
        return picture.format != "MPO"


def several(value: Any) -> list[Any]:
    """What stands in a cell for pictures, one by one; none where it is empty."""
    value = listed(value)
    if isinstance(value, list | tuple):
        return list(value)
    if is_nothing(value) or (
        isinstance(value, Mapping) and set(value) <= {"bytes", "path", "url"} and not any(value.values())
    ):
        return []
    return [value]


def _content(value: Any, folder: Path, what: str) -> bytes:
    if isinstance(value, Mapping):
        inner = value.get("bytes")
        if isinstance(inner, str):
            return _decoded(inner, what)
        value = inner if inner is not None else value.get("path", value.get("url"))
    if is_nothing(value):
        raise FlawError(f"{what} is null; leave it out")
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise FlawError(f"{what} is {type(value).__name__}; it must be bytes, a path, or a mapping with bytes or path")
    if value.startswith("data:"):
        return _decoded(value.partition(",")[2], what)
    if is_base64(value):
        return _decoded("".join(value.split()), what)
    if value.startswith(("http://", "https://")):
        raise FlawError(f"{what} is an address; download it into the examples' folder and give its path")
    return _file(value, folder, what)


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FlawError(f"{what} is not base64 ({error})") from error


def _file(name: str, folder: Path, what: str) -> bytes:
    shown = repr(name if len(name) <= 80 else f"{name[:77]}...")
    try:
        path = Path(os.path.realpath(folder / name))  # which does not mind links in a circle
        if not path.is_relative_to(folder.resolve()):
            raise FlawError(
                f"{what}, {shown}, leads out of the folder of the examples; put it there, or give its bytes"
            )
        if path.exists() and not path.is_file():
            raise FlawError(f"{what}, {shown}, is no file")
        return path.read_bytes()
    except OSError as error:
        raise FlawError(f"{what}, {shown}, cannot be read: {error.strerror}") from error
    except (ValueError, RuntimeError) as error:  # a zero byte in the name, links in a circle
        raise error if isinstance(error, FlawError) else FlawError(f"{what}, {shown}, is no path ({error})") from error


def _flaw(data: bytes) -> str:
    if not data:
        return "is empty"
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                return _too_large(f"{width} x {height}")
            picture.getexif()
            picture.draft("RGB", (1, 1))  # of JPEG all is read, but an eighth of its size is computed
            picture.load()
            if picture.mode in _UNBOUNDED:
                return (
                    f"has pixels of {_UNBOUNDED[picture.mode]}, of which nothing says how bright they are; save it "
                    "with 8 or 16 bits a channel"
                )
            if picture.mode not in _PLAIN:
                picture.convert("RGB")
    except UnidentifiedImageError:
        if data.lstrip()[:1] == b"<":
            return "is a page or drawing of HTML or XML, and no picture"
        return f"begins with {data[:8]!r} and is no picture of a format that is read ({', '.join(FORMATS)})"
    except Image.DecompressionBombError:
        return _too_large("far too many")
    except Exception as error:  # whatever a broken file makes a decoder raise
        first = next(iter(str(error).splitlines()), "") or type(error).__name__
        return f"cannot be decoded: {first}"
    return ""


def _too_large(size: str) -> str:
    return f"has {size} pixels; more than {MOST_PIXELS // 10**6} million are refused: scale it down"


def opened(data: bytes) -> Image.Image:
    """A picture in the colours and the position in which models expect it.

    What is transparent lies on white, as transformers' processors put it; its own colour, often black, was never seen.

    Args:
        data: A file of any format and mode that Pillow reads.
    """
    return in_rgb(Image.open(BytesIO(data)))


def in_rgb(picture: Image.Image) -> Image.Image:
    """The same of a picture that Pillow has read."""
    # Pillow's own `exif_transpose` writes the other EXIF anew as well, and fails where a camera wrote some of it oddly.
    turn = _turn(picture)
    image = picture if turn is None else picture.transpose(turn)
    if image.mode.startswith("I;16"):  # Pillow would cut them off at 255, and almost all would be white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def size(data: bytes) -> tuple[int, int]:
    """Width and height as `opened` shows it, of which only the header is read."""
    with Image.open(BytesIO(data)) as image:
        width, height = image.size
        return (height, width) if _turn(image) in _SIDEWAYS else (width, height)


def _turn(picture: Image.Image) -> Image.Transpose | None:
    """What makes a picture upright."""
    return _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
