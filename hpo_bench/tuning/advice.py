"""What to do when trials fail."""

from collections.abc import Mapping

ADVICE: Mapping[str, str] = {
    "out-of-memory": "lower `batch_size` (and `max_new_tokens`) in the evaluation section of pair.yaml, free the "
    "device of other processes, or take one with more memory",
    "nan-logits": "the merged weights overflow: lower the upper end of --coefficients, or merge in float32",
    "raised": "the evaluator has an error; the log has its traceback",
    "timeout": "evaluations take longer than --timeout allows: raise it, or ask fewer examples; the log says where the "
    "last one hung",
    "nonsense": "the evaluator returns what are no scores from 0 to 1, one an example; the log says what",
    "judge": "the judge does not answer: check its URL, its key and its quota",
    "endless": "most answers never end: check the chat template and `max_new_tokens`, or lower the upper end of "
    "--coefficients",
    "money": "the judge's money limit is reached: raise `max_dollars` in the evaluation section of pair.yaml",
    "merge": "the pair cannot be merged: run it through a single setting, and see the log",
    "worker-died": "workers die: the machine may be short of memory (see its kernel log), or a library crashes",
}


def advice(kind: str) -> str:
    """What to do about a sort of failure."""
    return ADVICE.get(kind, "see the log")
