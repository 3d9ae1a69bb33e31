"""What can be concluded from regrets: ratios and their intervals, comparisons, and when targets are reached.

The landscape is what is counted, and the pair the unit of inference: landscapes of one pair share checkpoints and
examples, so intervals and tests see how far pairs differ.
"""

from hpo_bench.statistics.intervals import LEVEL, Interval
from hpo_bench.statistics.luck import REPLICATES

__all__ = ["LEVEL", "REPLICATES", "Interval"]
