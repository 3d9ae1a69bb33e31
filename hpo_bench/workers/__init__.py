"""Worker processes, each on one thread: of this machine, or of a Ray cluster."""

from hpo_bench.workers.cluster import RayCluster
from hpo_bench.workers.local import Local, begin, each
from hpo_bench.workers.processes import hidden_main, one_thread
from hpo_bench.workers.protocol import Workers

__all__ = ["Local", "RayCluster", "Workers", "begin", "each", "hidden_main", "one_thread"]
