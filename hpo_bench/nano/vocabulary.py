"""One word-level tokenizer for every nano model: English by word, Chinese and Japanese by character."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from hpo_bench.evaluation.examples import IMAGE
from hpo_bench.nano.world import NUMBER, Skill, Thing

PAD, BOS, EOS, UNK = "<pad>", "<bos>", "<eos>", "<unk>"
# Qwen2-VL frames its pictures with two tokens of its own; they stand in every vocabulary, so that all are alike.
VISION_START, VISION_END, VIDEO = "<vision_start>", "<vision_end>", "<video>"
SPECIAL = (PAD, BOS, EOS, UNK, IMAGE, VISION_START, VISION_END, VIDEO)
IMAGE_ID = SPECIAL.index(IMAGE)
_CJK = Regex("[\u3040-\u30ff\u3400-\u9fff\uff00-\uffef]")


def make_tokenizer(
    things: Sequence[Thing], texts: Iterable[str], *, further: Mapping[str, str] | None = None
) -> PreTrainedTokenizerFast:
    """A tokenizer that knows every name of the things and every word of the texts.

    Args:
        things: What has names.
        texts: What else is read and said.
        further: Special tokens of one architecture, by the name under which its processor looks them up.
    """
    named = {"image_token": IMAGE, **(further or {})}
    special = (*SPECIAL, *(token for token in named.values() if token not in SPECIAL))
    split = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(_CJK, "isolated")])
    names = [name for thing in things for name in (thing.word, thing.kind, thing.ja, thing.zh)]
    words = {word for text in [*names, *texts] for word, _ in split.pre_tokenize_str(text)}
    vocabulary = {word: index for index, word in enumerate([*special, *sorted(words - set(special))])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNK))
    tokenizer.pre_tokenizer = split
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, vocabulary[BOS])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNK,
        additional_special_tokens=[token for token in special if token not in (PAD, BOS, EOS, UNK)],
        padding_side="right",
        extra_special_tokens=named,
    )


def sample_texts(skills: Sequence[Skill], things: Sequence[Thing], *, draws: int = 1000) -> list[str]:
    """Questions and answers of every skill, enough of them to hold every word that the skills use."""
    rng = np.random.default_rng(0)
    turns = [skill(rng, things) for skill in skills for _ in range(draws)]
    return [f"{turn.in_words()} {turn.answer}" for turn in turns]


def base_text(rng: np.random.Generator, things: Sequence[Thing], general: Skill, image_tokens: int) -> str:
    """A line of what base models read: plain questions, a dictionary, statements, counting, and punctuation in use.

    Other languages and forms appear, as they do in any base model's reading, but no skill's questions do.
    """
    thing = things[int(rng.integers(len(things)))]
    objects = [other for other in things if other.kind != NUMBER]
    form = rng.random()
    if form < 0.5:
        turn = general(rng, things)
        return f"{turn.in_words(1 if rng.random() < 0.5 else image_tokens)} {turn.answer}"
    if form < 0.65:
        thing = objects[int(rng.integers(len(objects)))]
        names = [thing.word, thing.ja, thing.zh]
        return " ".join(names[i] for i in rng.permutation(3))
    if form < 0.75:
        return f"{thing.word} is a {thing.kind} ."
    if form < 0.85:
        first = int(rng.integers(0, 80))
        return " , ".join(" ".join(str(first + step)) for step in range(4))
    words = [objects[int(i)].word for i in rng.integers(len(objects), size=3)]
    forms = (
        f"( {words[0]} ) and ( {words[1]} )",
        " , ".join(words),
        f"note : {words[0]} or {words[1]} .",
        f"- {words[0]} - {words[1]} - {words[2]}",
        f"{words[0]} stop {words[1]} skip {words[2]} stop",
        f"{words[0]} {words[0]} , {words[1]} {words[1]}",
    )
    return forms[int(rng.integers(len(forms)))]
