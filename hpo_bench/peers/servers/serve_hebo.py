"""HEBO, asked and told in lines of JSON; run by the Python of an environment that has it."""

import contextlib
import io
import json
import random
import sys
import time
import warnings

import numpy as np
import pandas as pd
import torch
from hebo.design_space.design_space import DesignSpace  # pyright: ignore[reportMissingImports]
from hebo.optimizers.hebo import HEBO  # pyright: ignore[reportMissingImports]


class Search:
    """One run.

    Args:
        dim: Number of hyperparameters.
        seed: Of the run.
    """

    def __init__(self, dim: int, seed: int) -> None:
        self.names = [f"x{axis}" for axis in range(dim)]
        self.seed = seed
        space = DesignSpace().parse([{"name": name, "type": "num", "lb": 0, "ub": 1} for name in self.names])
        self.search = HEBO(space, scramble_seed=seed)

    def handle(self, message: dict) -> object:
        """Answer one message; the global generators, from which HEBO draws, follow from the seed and the step."""
        words = np.random.SeedSequence([self.seed, message["step"]]).generate_state(3)
        random.seed(int(words[0]))
        np.random.seed(words[1])  # noqa: NPY002 (what HEBO uses)
        torch.manual_seed(int(words[2]))
        if message["do"] == "ask":
            return [float(value) for value in self.search.suggest(n_suggestions=1)[self.names].to_numpy(float)[0]]
        points = pd.DataFrame([message["x"]], columns=self.names)
        self.search.observe(points, np.array([[message["cost"]]]))
        return None


def main() -> None:
    """Answer until nobody speaks any more."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    lines, answers = sys.stdin, sys.stdout
    search: Search | None = None
    for line in lines:
        message, before = json.loads(line), time.process_time()
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                if message["do"] == "begin":
                    search, answer = Search(message["dim"], message["seed"]), None
                elif search is None:
                    raise RuntimeError("asked before it was begun")
                else:
                    answer = search.handle(message)
            reply = {"answer": answer, "seconds": time.process_time() - before}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
