"""What can be concluded from regrets: ratios and their intervals, comparisons, and when targets are reached.

The landscape is the unit of inference. Landscapes of one pair share checkpoints and examples, so the bootstrap draws
whole pairs, and seeds within each landscape.
"""

from hpo_bench.statistics.bootstrap import LEVEL, REPLICATES, Interval

__all__ = ["LEVEL", "REPLICATES", "Interval"]
