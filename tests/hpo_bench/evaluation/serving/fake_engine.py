"""An engine that speaks as `serve_vllm.py` does, and answers by a hash of the weights that it holds.

What it does wrong is said by the variable FAKE: "stale" takes no weights after the first, "forgets no prefix" resets no
cache, "dies" and "hangs" do so when asked, "nan" answers with numbers that are none, "company" answers otherwise in
company, "no memory" has none to answer with, "refuses" is asked for what it does not have.
"""

import hashlib
import json
import math
import mmap
import os
import sys
import time

import numpy as np

WRONG = os.environ.get("FAKE", "")
SIZES = {"float32": 4, "bfloat16": 2}


class Fake:
    def __init__(self, asked: dict) -> None:
        self.memory = mmap.mmap(asked["descriptor"], 0)
        self.weights: dict[str, tuple] = {}
        self.loads = 0
        if "manifest" in asked:
            self.load(asked)

    def load(self, asked: dict) -> dict:
        if WRONG == "stale" and self.loads > 1:
            return {"seconds": 0.0, "reset": True, "cached": 0}
        self.loads += 1
        for name, dtype, shape, at in asked["manifest"]:
            self.weights[name] = (dtype, shape, self.memory[at : at + math.prod(shape) * SIZES[dtype]])
        remembered = 32 if WRONG == "forgets no prefix" and self.loads > 2 else 0
        return {"seconds": 0.0, "reset": True, "cached": remembered}

    def about(self, _: dict) -> dict:
        return {"version": "0", "dtype": "bfloat16", "device": "cpu", "length": 128}

    def probe(self, asked: dict) -> list:
        found = {}
        for name, (_, shape, data) in self.weights.items():
            layer = name.partition("layers.")[2].partition(".")[0]
            if "vision" in name or not name.endswith("o_proj.weight") or int(layer) not in asked["layers"]:
                continue
            values = (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(shape)
            columns = [0, shape[1] - 1]
            digest = hashlib.sha256(np.ascontiguousarray(values[:, columns].T + 0.0).tobytes()).hexdigest()
            found[name.removesuffix(".weight")] = [columns, shape[0], digest]
        return [found]

    def show(self, _: dict) -> None:
        return None

    def ask(self, asked: dict) -> list:
        if WRONG == "dies":
            sys.stderr.write("the fake is out of order\n")
            os._exit(3)
        if WRONG == "hangs":
            time.sleep(600)
        whole = hashlib.sha256(b"".join(data for _, _, data in self.weights.values())).digest()
        answers = []
        for prompt in asked["prompts"]:
            if WRONG == "company":
                whole = str(len(asked["prompts"])).encode()
            drawn = hashlib.sha256(whole + json.dumps(prompt["tokens"]).encode()).digest()
            answers.append(
                {"tokens": [10 + drawn[0], 2], "finite": WRONG != "nan", "stopped": "", "prompt": prompt["tokens"]}
            )
        return answers


def main() -> None:
    fake = None
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "open":
            if WRONG == "refuses":
                print(json.dumps({"refused": "`batch_invariant` is a mode of GPUs"}), flush=True)  # noqa: T201
                continue
            fake, asked = Fake(asked), {"do": "about"}
        if WRONG == "no memory" and asked["do"] == "ask":
            print(json.dumps({"error": "OutOfMemoryError: CUDA out of memory"}), flush=True)  # noqa: T201
            continue
        print(json.dumps({"answer": getattr(fake, asked["do"])(asked)}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
