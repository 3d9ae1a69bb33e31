"""What judges may cost."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from hpo_bench.evaluation.judging.cache import CACHE, JudgeCache
from landscapes.written import Count, Number, Text

Dollars = Annotated[Number, Ge(0.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTerms:
    """What judges may cost, as the section `judge:` of an evaluation says.

    Attributes:
        price_in: Dollars for a million tokens of prompts.
        price_out: Dollars for a million tokens of replies.
        max_dollars: Of all that is kept in the cache's account; nothing is asked beyond it.
        parallel: How many questions, or documents, are judged at once.
        cache: Folder of what was judged before, and of the account.
    """

    price_in: Dollars
    price_out: Dollars
    max_dollars: Dollars
    parallel: Count = 4
    cache: Text = CACHE

    @property
    def kept(self) -> JudgeCache:
        """What is in that folder."""
        return JudgeCache.of(self.cache)
