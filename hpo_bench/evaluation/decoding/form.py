"""Texts in one form, whatever keyboard or model wrote them."""

import re
import unicodedata

RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"
_POWER = re.compile(rf"(?<=\d)(?=[{RAISED}])")
_FRACTION = re.compile(r"(\d?)([¼-¾⅐-⅞↉])")


def compatible(text: str) -> str:
    """Compatibility form, in which no number becomes another one.

    Half and full width are alike. NFKC by itself makes 102 of 10², and 21⁄2 of 2½; here they are 10^2 and 2 1/2.
    """
    apart = _FRACTION.sub(lambda found: f"{found[1]} {found[2]}" if found[1] else found[2], _POWER.sub("^", text))
    return unicodedata.normalize("NFKC", apart).replace("⁄", "/")
