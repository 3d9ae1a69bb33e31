"""vLLM, told in lines of JSON what to load and whom to ask; run by the Python of an environment that has it.

Weights come through memory that both processes map. The engine lives in this process, and its workers in this process
group: when nobody speaks to it any more, however that came, all of them end.
"""

import base64
import difflib
import gc
import inspect
import io
import json
import math
import os
import queue
import signal
import sys
import threading
import time
import traceback
from typing import Any

os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
# The engine in this process: it then dies with it, and what a merge leaves alone can be kept in its caches.
os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"

import torch

KEPT_BYTES = 2**30
"""Of what the vision encoder makes of pictures, so much is kept from merge to merge."""
CACHE_BYTES = 2**31
"""On a CPU a cache of keys and values takes so much at most, where nothing else is said; by itself vLLM takes nearly
all memory there is, or refuses where others have some of it."""


class _RefusedError(Exception):
    """What is asked for cannot be had here."""


class _Server:
    """vLLM with a model in it.

    Args:
        asked: `model`, a folder; `options` of vLLM's; `descriptor`, of shared memory that this process inherited; and
            `manifest` of all the model's weights in it, unless they are those in the folder.
    """

    def __init__(self, asked: dict) -> None:
        import vllm  # pyright: ignore[reportMissingImports]

        # By a path that workers in processes of their own can open as well.
        self.where = f"/proc/{os.getpid()}/fd/{asked['descriptor']}" if "descriptor" in asked else ""
        options = asked["options"]
        _check_options(options, vllm)
        graphs = torch.cuda.is_available()
        if os.environ.get("VLLM_BATCH_INVARIANT", "0") != "0" and not graphs:
            # Its workers there ignore the mode, or fall over it.
            raise _RefusedError("`batch_invariant` is a mode of vLLM's on GPUs, and there is none here; leave it out")
        usual = {"enforce_eager": not graphs, **({} if graphs else _cache(options))}
        self.llm = vllm.LLM(
            model=asked["model"], load_format="dummy" if "manifest" in asked else "auto",
            worker_extension_cls=_extension(), seed=0, **{**usual, **options},
        )  # fmt: skip
        config = self.llm.llm_engine.vllm_config
        self.version, self.dtype = vllm.__version__, str(config.model_config.dtype).removeprefix("torch.")
        self.device = torch.cuda.get_device_name() if graphs else "cpu"
        self.length, self.block = config.model_config.max_model_len, config.cache_config.block_size
        self.pictures: dict = {}
        self.opened: dict = {}
        self._widen(config)
        if "manifest" in asked:
            self.load({"manifest": asked["manifest"], "keep_pictures": False})

    def _widen(self, config: Any) -> None:
        """Let the scheduler keep more of what the vision encoder made than the few thousand tokens of its own limit."""
        try:
            scheduler = self.llm.llm_engine.engine_core.engine_core.scheduler
            manager = scheduler.encoder_cache_manager
            width = config.model_config.get_hidden_size() * config.model_config.dtype.itemsize
            more = max(0, KEPT_BYTES // width - manager.cache_size)
            manager.cache_size += more
            manager.num_free_slots += more
            manager.num_freeable_slots += more
        except AttributeError:  # another version keeps less, and answers the same
            return

    def close(self) -> None:
        """Let go of the model, and of what its workers have set up."""
        from vllm.distributed import cleanup_dist_env_and_memory  # pyright: ignore[reportMissingImports]

        del self.llm
        gc.collect()
        cleanup_dist_env_and_memory()

    def handle(self, asked: dict) -> object:
        """Answer one message."""
        return getattr(self, asked["do"])(asked)

    def about(self, asked: dict) -> dict:
        """What computes here."""
        return {"version": self.version, "dtype": self.dtype, "device": self.device, "length": self.length}

    def show(self, asked: dict) -> None:
        """Take in pictures, PNG by name, for prompts to refer to."""
        self.pictures |= {name: base64.b64decode(data) for name, data in asked["pictures"].items()}

    def load(self, asked: dict) -> dict:
        """Take weights over, and forget what was computed with those before."""
        begin = time.perf_counter()
        keep = asked["keep_pictures"]
        arguments = (self.where, asked["manifest"], keep)
        self.llm.collective_rpc("take_weights", args=arguments)
        reset = True
        if asked.get("reset", True):
            reset = self.llm.reset_prefix_cache()
            if not keep:
                # The encoder's cache goes by the picture alone; the processor's has nothing of weights in it.
                self.llm.llm_engine.reset_encoder_cache()
        return {"seconds": time.perf_counter() - begin, "reset": bool(reset), "cached": self._canary()}

    def _canary(self) -> int:
        """How many tokens of a prompt that was asked after every hand-over are remembered; none, after a reset."""
        tokens = [1] * min(2 * self.block + 1, self.length - 1)
        return self._generate([{"prompt_token_ids": tokens}], {"max_tokens": 1})[0].num_cached_tokens or 0

    def probe(self, asked: dict) -> list:
        """Fingerprints of some weights, from every worker."""
        return self.llm.collective_rpc("read_back", args=(asked["layers"],))

    def ask(self, asked: dict) -> list:
        """Answer prompts greedily: tokens of each answer, whether it is of numbers, and why it ended."""
        prompts = []
        for prompt in asked["prompts"]:
            made = {"prompt_token_ids": prompt["tokens"]}
            if names := prompt["pictures"]:
                made["multi_modal_data"] = {"image": [self._picture(name) for name in names]}
                made["multi_modal_uuids"] = {"image": names}
            prompts.append(made)
        return [
            {
                "tokens": list(one.outputs[0].token_ids),
                "finite": all(math.isfinite(next(iter(each.values())).logprob) for each in one.outputs[0].logprobs),
                "stopped": str(one.outputs[0].stop_reason) if one.outputs[0].stop_reason is not None else "",
                **({"prompt": list(one.prompt_token_ids)} if asked.get("prompts_too") else {}),
            }
            for one in self._generate(prompts, asked["sampling"])
        ]

    def _generate(self, prompts: list, sampling: dict) -> list:
        from vllm import SamplingParams  # pyright: ignore[reportMissingImports]

        greedy = SamplingParams(temperature=0.0, logprobs=0, detokenize=bool(sampling.get("stop")), **sampling)
        return self.llm.generate(prompts, greedy, use_tqdm=False)

    def _picture(self, name: str) -> object:
        from PIL import Image

        if name not in self.opened:
            self.opened[name] = Image.open(io.BytesIO(self.pictures[name])).convert("RGB")
            while len(self.opened) > 256:  # decoded ones are large
                self.opened.pop(next(iter(self.opened)))
        return self.opened[name]


def _check_options(options: dict, vllm: Any) -> None:
    """Refuse what vLLM has no option for."""
    known = {*inspect.signature(vllm.LLM).parameters, *inspect.signature(vllm.EngineArgs).parameters}
    for name in sorted(options.keys() - known):
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise _RefusedError(
            f"`engine` under `evaluation` says {name!r}, of which vLLM {vllm.__version__} knows nothing{meant}"
        )


def _cache(options: dict) -> dict:
    if "gpu_memory_utilization" in options or os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
        return {}
    import psutil  # of vLLM's own on a CPU

    share = psutil.virtual_memory().available // 4 // options.get("tensor_parallel_size", 1)
    return {"kv_cache_memory_bytes": min(CACHE_BYTES, share)}


def _extension() -> str:
    # By a name that spawned workers can import as well.
    folder = os.path.dirname(os.path.abspath(__file__))
    os.environ["PYTHONPATH"] = os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return "vllm_worker.HandOver"


def _listen(lines: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        lines.put(line)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Answer until nobody speaks any more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    engine = None
    while True:
        asked = json.loads(lines.get())
        try:
            if asked["do"] == "open":
                if engine is not None:  # whose end would else take down what the next one has set up
                    engine.close()
                engine = _Server(asked)
                asked = {"do": "about"}
            if engine is None:
                raise RuntimeError("asked before it was opened")
            reply = {"answer": engine.handle(asked)}
        except _RefusedError as error:
            reply = {"refused": str(error)}
        except Exception as error:
            traceback.print_exc()
            first = next((line for line in str(error).splitlines() if line.strip()), "no message")
            reply = {"error": f"{type(error).__name__}: {first}"}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
