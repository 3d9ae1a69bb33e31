"""The things that nano models see and talk about: some seventy emoji and the ten digits."""

from dataclasses import dataclass

from hpo_bench.nano.extra import need

# Chosen for being drawn alike: by hand, then without those that a vision tower trained on five vendors' drawings knew
# in fewer than 28% of the sixth's. Their names come from the package `emoji` (Unicode CLDR).
KINDS: dict[str, tuple[str, str, str]] = {
    "animal": (
        "動物",
        "动物",
        "🐶🐱🐰🐼🦁🐷🐧🦆🦄🦋🐢🐍🦀🐟🐬🐘🐐🦌",
    ),
    "food": ("食べ物", "食物", "🍋🍌🍉🍇🍒🍑🍅🥑🥕🍞🍔🥚🍩🍪🍍🥞"),
    "vehicle": ("乗り物", "车船", "🚗🚕🚌🚑🚜🚁🚀⛵🛶"),
    "plant": ("植物", "植物", "🌵🌷🌹🌻🌺"),
    "clothing": ("服", "衣服", "👖👗"),
    "instrument": ("楽器", "乐器", "🎸🎺🎻🎷"),
    "tool": ("道具", "工具", "🔨🔧🔑✂🔦"),
    "sport": ("スポーツ", "运动", "🏀🏐🎳"),
    "furniture": ("家具", "家具", "🛏🚪🛁🚽"),
    "sky": ("空", "天空", "⭐☀☁🌈❄🔥"),
}
NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Thing:
    """Something with a picture and names.

    Attributes:
        word: Its English name, one token.
        kind: Its kind in English, a key of `KINDS` or "number".
        ja: Its Japanese name.
        zh: Its Chinese name.
        emoji: The character that pictures are drawn for; empty for digits.
    """

    word: str
    kind: str
    ja: str = ""
    zh: str = ""
    emoji: str = ""


DIGITS: tuple[Thing, ...] = tuple(Thing(word=str(digit), kind=NUMBER) for digit in range(10))


def objects() -> tuple[Thing, ...]:
    """Every emoji of `KINDS` as a thing, in that order.

    Raises:
        UsageError: If the package `emoji` is missing (the extra `nano`).
    """
    emoji = need("emoji")
    emoji.config.load_language(["ja", "zh"])
    things = []
    for kind, (_, _, characters) in KINDS.items():
        for character in characters:
            names = emoji.EMOJI_DATA.get(character) or emoji.EMOJI_DATA[character + "\ufe0f"]
            en, ja, zh = (names[language].strip(":") for language in ("en", "ja", "zh"))
            things.append(
                Thing(
                    word=en.removesuffix("_face").replace("_", "-"),
                    kind=kind,
                    ja=ja.removesuffix("の顔"),
                    zh=zh.removesuffix("脸").removesuffix("头"),
                    emoji=character,
                )
            )
    return tuple(things)
