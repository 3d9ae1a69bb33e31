"""Texts in one form, whatever keyboard or model wrote them."""

import re
import unicodedata
from string import whitespace

INVISIBLE = "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
"""Marks of directions, and of where lines may break, that nobody sees and pages and spreadsheets leave around words."""
RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"
_UNSEEN = dict.fromkeys(map(ord, INVISIBLE))
_POWER = re.compile(rf"(?<=\d)(?=[{RAISED}])")
_FRACTION = re.compile(r"(\d?)([¼-¾⅐-⅞↉])")


def compatible(text: str) -> str:
    """Compatibility form, in which no number becomes another one.

    Half and full width are alike, and what nobody sees is left out. NFKC by itself makes 102 of 10², and 21⁄2 of 2½;
    here they are 10^2 and 2 1/2.
    """
    apart = _FRACTION.sub(lambda found: f"{found[1]} {found[2]}" if found[1] else found[2], _POWER.sub("^", text))
    return unicodedata.normalize("NFKC", apart).replace("⁄", "/").translate(_UNSEEN)


def composed(text: str) -> str:
    """The same text in the form in which models have learnt it: letters with their accents, nothing unseen around it.

    File systems and programs of Apple's write é as two signs, which most tokenizers cut otherwise than the one sign.
    """
    bare = text.strip()
    if bare and (bare[0] in INVISIBLE or bare[-1] in INVISIBLE):
        text = bare.strip(INVISIBLE + whitespace)
    return unicodedata.normalize("NFC", text)
