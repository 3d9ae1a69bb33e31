"""`python -m hpo_bench` is `hpo-bench`."""

from hpo_bench.cli import main

main()
