"""A program for evaluations of kind `command`: loads a merge from its folder, and answers by `generate`."""

import json
import sys
from pathlib import Path

from hpo_bench.display.printing import say
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.generation import Generation
from hpo_bench.evaluation.metrics import ByRule, exact_match
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.merging.checkpoints.skeleton import auto_class


def main(model: str, ask: str) -> None:
    """Answer what is asked.

    Args:
        model: Folder of the model.
        ask: A file of what is asked, as `command` has it; its parameters name `examples`, `max_new_tokens` and
            `batch_size`.
    """
    from transformers import AutoConfig, AutoProcessor

    asked = json.loads(Path(ask).read_text(encoding="utf-8"))
    told = asked["parameters"]
    examples = {one.id: one for one in read_examples(Path(told["examples"]))}
    chosen = [examples[name] for name in asked["ids"]]
    kind = auto_class(AutoConfig.from_pretrained(model, local_files_only=True), sees=True)
    vlm = kind.from_pretrained(model, use_safetensors=True, local_files_only=True).eval()
    answers = Generation(
        Prompts(AutoProcessor.from_pretrained(model, local_files_only=True)),
        ByRule(exact_match),
        batch_size=told["batch_size"],
        max_new_tokens=told["max_new_tokens"],
        strip_thinking=False,
    )
    responses, _ = answers.generated(vlm, chosen)
    scores = {one.id: exact_match(said, *one.answers) for one, said in zip(chosen, responses, strict=True)}
    said = {one.id: text for one, text in zip(chosen, responses, strict=True)}
    say(json.dumps({"scores": scores, "responses": said}))


if __name__ == "__main__":
    main(*sys.argv[1:])
