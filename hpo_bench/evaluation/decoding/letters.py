"""Which choice an answer settles on, where choices go by letters or digits."""

import re
import unicodedata

_OPEN = r"(?:[\s(\[{*\"'`$]|\\(?:boxed|text|mathrm)\b)*"
_ANSWER = r"(?i:answer|choice|option|答え|正解|回答|解答|答案|정답|답)\s*(?i:is|:|=|>|は|が|是|为|為|은|는|이)"
_NAMED = r"(?i:choice|option|選択肢|选项|选|選|선택지)"
_RIGHT = r"\s*(?:が正解|が正しい|是正确|(?:is|would be) (?:the )?(?:right|correct|best)\b)"
_NO_LETTER = r"(?![A-Za-z0-9]|['’][A-Za-zÀ-ÿ]{2})"
"""Nor is it the beginning of an elision, such as C'est or L'image."""
_NO_WORD = r"(?=[\s*\"'`$}]*(?:[).,:;\]<]|$|[^\x00-\x7f]))"
"""After a small letter that is no word of its own: a mark, the end, or a script without spaces."""
_BRACKETED = re.compile(r"(?<!\w)\([a-h]\)")
"""A small letter that is no word wherever it stands; the next ones are read as Roman numerals, too."""
_WORD = re.compile(r"(?:A(?= [a-z])|I(?= [a-z]|['’]))(?! (?:is|was|because|since|as|and|or)\b)")
"""The article and the pronoun, which look like choices."""


def chosen(response: str, *, digits: bool = False) -> str:
    """The choice that a response settles on, in upper case; "" if it settles on none.

    That is what follows the last "the answer is" or the like; else what is said to be right, as "B is correct" does;
    else what the response begins with, as "B. A cat" does; else what follows the last "option" or "choice"; else the
    first that stands alone and is no word. Scripts that are written without spaces may stand on either side.

    Args:
        response: In any script; letters and marks of full width count as those of ASCII.
        digits: Whether choices go by digits.

    Examples:
        >>> chosen("Answer: B, because choice A is a cat"), chosen("答えはBです")
        ('B', 'B')
    """
    said = unicodedata.normalize("NFKC", response).strip()
    if len(bare := said.strip("().*\"'` ")) == 1:
        return bare.upper()
    said = _BRACKETED.sub(lambda found: found[0].upper(), said)
    mark, small = ("[0-9]", "[0-9]") if digits else ("[A-Z]", "[a-z]")
    for announced in (
        rf"{_ANSWER}{_OPEN}({mark}{_NO_LETTER}|{small}{_NO_WORD})",
        rf"(?<![A-Za-z0-9])({mark})[)*\"'`\]]*{_RIGHT}",
        rf"\A{_OPEN}({mark}|{small})[*\"'`]*[).:,\]]",
        rf"{_NAMED}{_OPEN}({mark}){_NO_LETTER}",
    ):
        if found := _found(announced, said):
            return found[-1]
    alone = _found(rf"(?<![A-Za-z0-9])({mark}){_NO_LETTER}", said)
    return alone[0] if alone else ""


def _found(pattern: str, said: str) -> list[str]:
    return [one[1].upper() for one in re.finditer(pattern, said) if not _WORD.match(said, one.start(1))]
