"""Questions reach every family through its own template, and scores do not depend on how a tokenizer pads or cuts."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import families
import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import processors
from transformers.image_transforms import convert_to_rgb

from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.asking.chat_template import DAY
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.exact_match import ExactMatch
from hpo_bench.evaluation.examples import Example, of_split
from hpo_bench.evaluation.generation import Generation
from hpo_bench.evaluation.local import LocalEvaluator, room_of
from hpo_bench.evaluation.metrics import METRICS, ByRule
from hpo_bench.evaluation.reading.benchmark import ExampleSet
from hpo_bench.evaluation.reading.pictures import is_transparent, opened
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.processor import load_processor
from hpo_bench.merging.setting import MergeSetting
from landscapes.catalogue import load

TWO = Example("two", "all", "compare <image> and <image> now", (b"1", b"2"), "no")
# What each family's template makes of TWO, and what stands between a prompt and its answer.
RENDERED = {
    "llava": ("USER: <image>\n<image>\ncompare   and   now ASSISTANT:", " no"),
    "llava-next": ("[INST] <image>\n<image>\ncompare  and  now [/INST]", " no"),
    "qwen2-vl": (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\ncompare <|vision_start|>"
        "<|image_pad|><|vision_end|> and <|vision_start|><|image_pad|><|vision_end|> now<|im_end|>\n"
        "<|im_start|>assistant\n",
        "no",
    ),
    "idefics2": ("User: compare <image> and <image> now<end_of_utterance>\nAssistant:", " no"),
    "gemma3": (
        "<bos><start_of_turn>user\ncompare<start_of_image>and<start_of_image>now<end_of_turn>\n<start_of_turn>model\n",
        "no",
    ),
    "internvl": (
        "<|im_start|>user\ncompare <IMG_CONTEXT>\n and <IMG_CONTEXT>\n now<|im_end|>\n<|im_start|>assistant\n",
        "no",
    ),
}


@pytest.fixture(scope="module", params=("llava", "llava-next", "qwen2-vl", "qwen2.5-vl", "idefics2"))
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedPair:
    folder = families.build(tmp_path_factory.mktemp(request.param), request.param)
    return LoadedPair.load(Pair.read(folder))


def likeliest(loaded: LoadedPair) -> list[list[int]]:
    """What the model would say at each position of the right answers, asked in batches of seven."""
    scorer = ExactMatch(Prompts(loaded.processor), batch_size=7)
    told = scorer.dialogue(loaded.vlm, families.examples(15))
    assert list(told.batched) == list(told.single)
    return list(told.batched)


@pytest.fixture(scope="module")
def expected(family: LoadedPair) -> list[list[int]]:
    return likeliest(family)


@pytest.mark.parametrize("name", RENDERED)
def test_the_template_places_pictures_and_answer(name: str) -> None:
    prompts = Prompts(families.processor(name))
    text, answer = RENDERED[name]
    assert prompts.framed
    assert prompts.text(TWO) == text
    tokenizer = families.processor(name).tokenizer
    read = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode([*read, *prompts.answer(TWO)]) == tokenizer.decode(
        tokenizer(text + answer, add_special_tokens=False)["input_ids"]
    )


@pytest.mark.parametrize("name", ["qwen2-vl", "llava"])
@pytest.mark.parametrize("of", ["processor", "tokenizer"])
def test_a_template_that_writes_the_date_asks_alike_on_any_day(name: str, of: str) -> None:
    """As those of Llama 3.2 and SmolLM3 do: a study goes on for days."""
    processor = families.processor(name)
    dated = (
        "{%- if strftime_now is defined %}{%- set today = strftime_now('%d %b %Y') %}{%- endif %}"
        'It is {{ today }}, {{ strftime_now("%Y-%m-%d") }}.' + processor.chat_template
    )
    processor.chat_template = None
    (processor if of == "processor" else processor.tokenizer).chat_template = dated
    assert Prompts(processor).text(TWO).startswith(f"It is {DAY:%d %b %Y}, {DAY:%Y-%m-%d}.")


@pytest.mark.usefixtures("expected")
def test_answers_in_batches_are_those_one_by_one_and_greedy_decoding_agrees(family: LoadedPair) -> None:
    """Examples with none, one and two pictures of several modes, questions of different lengths."""
    examples = families.examples(20)
    generation = Generation(Prompts(family.processor), ByRule(METRICS["exact_match"]), batch_size=7, max_new_tokens=6)
    said, _ = generation.respond(family.vlm, examples)
    assert said == [generation.respond(family.vlm, [example])[0][0] for example in examples]
    right = [replace(one, answer=text) for one, text in zip(examples, said, strict=True) if text]
    forced = ExactMatch(Prompts(family.processor), batch_size=5).evaluate(family.vlm, right).scores.astype(bool)
    says, reads = zip(*(by_transformers_alone(family, example) for example in right), strict=True)
    # What is said in tokens other than those of the written answer may count as wrong, but nothing else may.
    assert (np.array(reads) <= forced).all()
    assert (forced <= np.array(says)).all()


def by_transformers_alone(loaded: LoadedPair, example: Example) -> tuple[bool, bool]:
    """Whether `generate` gives the right answer and then ends, and whether in the tokens of the written dialogue."""
    processor, words = loaded.processor, loaded.processor.tokenizer
    parts = [{"type": "image"}] * len(example.images)
    asked = [{"role": "user", "content": [*parts, {"type": "text", "text": example.question.split("\n")[-1]}]}]
    told = [*asked, {"role": "assistant", "content": [{"type": "text", "text": example.answer}]}]
    prompt = processor.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
    images = [[opened(data) for data in example.images]] if parts else None
    inputs = processor(text=[prompt], images=images, return_tensors="pt")
    with torch.inference_mode():
        said = loaded.vlm.generate(**inputs, max_new_tokens=12, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    ended = said[-1].item() in Prompts(processor).ends(loaded.vlm)
    whole = words(processor.apply_chat_template(told, tokenize=False), add_special_tokens=False)["input_ids"]
    read = [*words(prompt, add_special_tokens=False)["input_ids"], *said.tolist()[:-1]]
    says = ended and words.decode(said, skip_special_tokens=True).strip() == example.answer
    return says, says and whole[: len(read)] == read


@pytest.fixture
def odd(family: LoadedPair) -> LoadedPair:
    """The family with its processor read anew, to be spoilt."""
    return replace(family, processor=load_processor(Path(family.vlm.config._name_or_path)))


@pytest.mark.parametrize("side", ["left", "right"])
def test_no_score_depends_on_the_padding_side(expected: list[list[int]], odd: LoadedPair, side: str) -> None:
    odd.processor.tokenizer.padding_side = side
    assert likeliest(odd) == expected


def test_no_score_depends_on_what_the_tokenizer_adds_or_cuts_off(expected: list[list[int]], odd: LoadedPair) -> None:
    inner, end = odd.processor.tokenizer, odd.processor.tokenizer.eos_token
    begin = "<s> " if inner.bos_token else ""
    special = [(token, inner.convert_tokens_to_ids(token)) for token in (end, *begin.split())]
    inner.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin}$A {end}", special_tokens=special
    )
    inner.backend_tokenizer.enable_truncation(16)
    inner.model_max_length = 16
    inner.pad_token = None
    assert likeliest(odd) == expected


def test_without_a_template_the_text_is_asked_with_the_familys_own_token() -> None:
    for name in RENDERED:
        family, processor = families.FAMILIES[name], families.processor(name)
        bare = Prompts(processor, chat_template=False)
        processor.chat_template = processor.tokenizer.chat_template = None
        assert not Prompts(processor).framed
        for prompts in (bare, Prompts(processor)):
            assert prompts.text(TWO) == f"compare {family.image} and {family.image} now"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for m in messages %}{{ m.content | length }}{% endfor %}", "shows no place for a picture"),
        ("{{ raise_exception('only system') }}", "cannot be rendered: TemplateError: only system"),
    ],
)
def test_a_template_that_cannot_be_used_is_an_error_of_the_user(template: str, message: str) -> None:
    processor = families.processor("llava")
    processor.chat_template = template
    with pytest.raises(UsageError, match=message):
        Prompts(processor)


def test_a_template_that_wants_plain_text_gets_the_picture_within_it() -> None:
    processor = families.processor("llava")
    processor.chat_template = (
        "{% for m in messages %}{{ m['role'] + '|' + m['content'] + '|' }}{% endfor %}"
        "{% if add_generation_prompt %}assistant|{% endif %}"
    )
    assert Prompts(processor).text(Example("a", "", "<image> who?", (b"",), "me")) == "user|<image>\nwho?|assistant|"


def test_places_and_pictures_must_agree() -> None:
    with pytest.raises(EvaluationError, match="'two' has 1 pictures, and its prompt has 2 places"):
        Prompts(families.processor("qwen2-vl")).text(replace(TWO, images=(b"1",)))


def test_a_vlm_without_a_processor_is_an_error_of_the_user() -> None:
    with pytest.raises(UsageError, match="holds no processor"):
        Prompts(None)


@pytest.mark.parametrize("mode", families.MODES)
def test_pictures_of_every_mode_become_rgb(mode: str) -> None:
    data = families.picture(np.random.default_rng(0), mode)
    assert Image.open(BytesIO(data)).mode == mode
    assert opened(data).mode == "RGB"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_lies_on_white_as_processors_put_it(mode: str) -> None:
    """A drawing as of a web page: dark lines, and around them nothing, whose stored colour is black."""
    drawing = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    drawing.paste((20, 20, 20, 255), (2, 2, 4, 8))
    drawing.paste((200, 200, 200, 128), (4, 2, 6, 8))
    if mode == "P":
        drawing = Image.new("P", (8, 8), 1)
        drawing.putpalette([20, 20, 20, 0, 0, 0])
        drawing.paste(0, (2, 2, 4, 8))
    elif mode == "LA":
        drawing = drawing.convert("LA")
    file = BytesIO()
    drawing.save(file, "PNG", **({"transparency": 1} if mode == "P" else {}))
    read = Image.open(BytesIO(file.getvalue()))
    seen = np.asarray(opened(file.getvalue()))
    assert seen[0, 0].tolist() == [255, 255, 255]
    assert seen[4, 3].tolist() == [20, 20, 20]
    theirs = convert_to_rgb(read, return_numpy=True)
    assert np.abs(seen.astype(int) - theirs).max() <= 1  # of halves, which Pillow and numpy round their own way
    assert is_transparent(file.getvalue())
    assert not is_transparent(families.picture(np.random.default_rng(0), "RGB"))


@pytest.mark.parametrize("setting", [MergeSetting("ta", 0.6, 0.8), MergeSetting("ties", 0.8, 0.4, 0.4)])
def test_recorded_answers_of_the_shipped_pair_are_unchanged(
    shipped: Pair, questions: tuple[Example, ...], loaded: LoadedPair, setting: MergeSetting
) -> None:
    """Through the chat template, example by example, and whichever side the tokenizer pads."""
    recorded = load(f"{shipped.name}/{setting.method}").outcomes
    assert recorded is not None
    at = int(np.abs(recorded.X - list(setting.parameters.values())).sum(1).argmin())
    wanted = dict(zip(recorded.ids, recorded.correct[at], strict=True))
    examples = of_split(questions, "validation")[::3]
    Resident(loaded).merge(setting)
    words = loaded.processor.tokenizer
    assert Prompts(loaded.processor).framed
    try:
        for words.padding_side in ("left", "right"):
            scores = ExactMatch(Prompts(loaded.processor)).evaluate(loaded.vlm, examples).scores
            assert scores.tolist() == [wanted[one.id] for one in examples]
    finally:
        words.padding_side = "right"
    chosen = examples[::8]
    asks = Generation(Prompts(loaded.processor), ByRule(METRICS["exact_match"]), max_new_tokens=24)
    assert asks.evaluate(loaded.vlm, chosen).scores.tolist() == [wanted[one.id] for one in chosen]


def test_what_cannot_be_asked_is_found_before_it_is_asked(qwen: Prompts) -> None:
    thin = families.picture(np.random.default_rng(0), side=4)
    with Image.open(BytesIO(thin)) as image, BytesIO() as file:
        image.resize((900, 3)).save(file, "PNG")
        thin = file.getvalue()
    some = families.examples(10)
    qwen.check(some)
    flawed = (
        replace(some[0], id="thin", images=(thin,)),
        replace(some[3], id="literal", question="what does <|image_pad|> mean?"),
        replace(some[3], id="film", question="<|video_pad|> what is this?"),
    )
    with pytest.raises(EvaluationError, match=r"3 of 13 examples cannot be asked: .*'thin', with pictures of 900 x 3"):
        qwen.check([*some, *flawed])
    with pytest.raises(EvaluationError, match=r"'literal' has <\|image_pad\|>, which .* for a picture; write <image>"):
        qwen.check(flawed[1:2])
    with pytest.raises(EvaluationError, match=r"'film' has <\|video_pad\|>"):
        qwen.text(flawed[2])


@pytest.fixture(scope="module")
def qwen() -> Prompts:
    return Prompts(families.processor("qwen2-vl"))


def test_pictures_of_16_bits_keep_their_shades() -> None:
    shades = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    file = BytesIO()
    Image.fromarray(shades).save(file, "PNG")
    assert np.array_equal(np.asarray(opened(file.getvalue()))[..., 0], shades >> 8)


def test_a_system_prompt_stands_before_the_question_where_the_template_takes_one() -> None:
    asked = Prompts(families.processor("qwen2-vl"), system_prompt="Be brief.").text(TWO)
    assert asked.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\ncompare ")
    assert (
        Prompts(families.processor("llava-next"), system_prompt="Be brief.")
        .text(TWO)
        .startswith("<<SYS>>\nBe brief.\n<</SYS>>\n\n[INST] ")
    )
    deaf = families.processor("qwen2-vl")
    deaf.chat_template = (
        "{% for message in messages if message['role'] != 'system' %}{% for part in message['content'] %}"
        "{{ '<|image_pad|>' if part['type'] == 'image' else part['text'] }}{% endfor %}{% endfor %}"
    )
    with pytest.raises(UsageError, match=r"takes no system prompt; put it into every question instead, as in `quest"):
        Prompts(deaf, system_prompt="Be brief.")
    with pytest.raises(UsageError, match="a system prompt needs a chat template"):
        Prompts(families.processor("qwen2-vl"), chat_template=False, system_prompt="Be brief.")


def test_thinking_is_switched_where_the_template_has_a_switch() -> None:
    processor = families.processor("qwen2-vl")
    with pytest.raises(UsageError, match=r"`enable_thinking` .* changes nothing, as the chat template does not know"):
        Prompts(processor, enable_thinking=False)
    processor.chat_template += (
        "{% if add_generation_prompt and enable_thinking is defined and enable_thinking is false %}"
        "{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    )
    plain = Prompts(processor).text(TWO)
    assert Prompts(processor, enable_thinking=False).text(TWO) == f"{plain}<think>\n\n</think>\n\n"
    assert Prompts(processor, enable_thinking=True).text(TWO) == plain
    with pytest.raises(UsageError, match="changes nothing, as there is no chat template"):
        Prompts(processor, chat_template=False, enable_thinking=True)


class Writes:
    """Stands for a model that writes prepared tokens; a token is a letter's number."""

    generation_config = type("Config", (), {"eos_token_id": 0})
    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, *texts: str) -> None:
        self.texts, self.steps = texts, 0

    def generate(self, input_ids: torch.Tensor, *, max_new_tokens: int, stopping_criteria: list, **_: object):
        over = torch.zeros(len(self.texts), dtype=torch.bool)
        for place in range(max_new_tokens):
            letters = [ord(text[place]) if place < len(text) else 0 for text in self.texts]
            step = torch.where(over, 0, torch.tensor(letters))
            input_ids = torch.cat([input_ids, step[:, None]], 1)
            over |= (step == 0) | torch.stack([one(input_ids, None) for one in stopping_criteria]).any(0)
            self.steps = place + 1
            if over.all():
                break
        return input_ids


class Letters:
    """Stands for `Prompts`."""

    padding, manner = 0, ""

    def __init__(self, prompt: str = "?") -> None:
        self.prompt = prompt

    def text(self, example: Example) -> str:
        return self.prompt

    def ends(self, model: object) -> tuple[int, ...]:
        return (0,)

    def decode(self, tokens: torch.Tensor) -> str:
        return "".join(chr(token) for token in tokens.tolist() if token).strip()

    def ask(self, model: object, examples: list[Example]) -> object:
        return type("Asked", (), {"inputs": {"input_ids": torch.full((len(examples), 1), 63)}})


@pytest.mark.parametrize(
    ("prompt", "text", "answer", "steps"),
    [
        ("?", "42\nWhy", "42", 4),
        ("?", "<think>a\nb</think>42\nWhy", "42", 22),
        ("<think>\n", "a\nb</think>42\nWhy", "42", 15),
        ("<think>\n", "a\nb\nc", "", 5),
        ("?", "42 END of it", "42", 6),
    ],
)
def test_answers_end_at_texts_but_thoughts_do_not(prompt: str, text: str, answer: str, steps: int) -> None:
    model = Writes(text)
    scores = ByRule(METRICS["exact_match"])
    generation = Generation(Letters(prompt), scores, max_new_tokens=len(text), stop=("\n", "END"))  # type: ignore[arg-type]
    assert generation.respond(model, [Example("a", "all", "?", (), "42")])[0] == [answer]
    assert model.steps == steps
    said = generation.dialogue(model, [Example("a", "all", "?", (), "42")])
    assert bool(said.notes) == (not answer)
    plain = Generation(Letters(prompt), scores, max_new_tokens=len(text), strip_thinking=False)  # type: ignore[arg-type]
    assert plain.respond(model, [Example("a", "all", "?", (), "42")])[0] == [text]


def test_a_template_that_only_the_tokenizer_has_is_used() -> None:
    processor = families.processor("qwen2-vl")
    processor.tokenizer.chat_template, processor.chat_template = processor.chat_template, None
    prompts = Prompts(processor)
    assert prompts.framed
    assert prompts.text(TWO) == RENDERED["qwen2-vl"][0]


def test_what_was_said_before_goes_before_the_question() -> None:
    said = (("system", "Be brief."), ("user", "<image>\nWhat is it?"), ("assistant", "A hat."))
    chat = Example("chat", "", "Whose?", (b"",), "Hers.", before=said)
    shown = "<|vision_start|><|image_pad|><|vision_end|>"
    turns = (
        f"<|im_start|>user\n{shown}What is it?<|im_end|>\n<|im_start|>assistant\nA hat.<|im_end|>\n"
        "<|im_start|>user\nWhose?<|im_end|>\n<|im_start|>assistant\n"
    )
    own = "<|im_start|>system\nBe brief.<|im_end|>\n"
    for usual in ("", "Take your time."):
        assert Prompts(families.processor("qwen2-vl"), system_prompt=usual).text(chat) == own + turns
    assert Prompts(families.processor("gemma3")).text(replace(chat, before=said[1:])).count("<start_of_turn>") == 4
    with pytest.raises(EvaluationError, match="need a chat template"):
        Prompts(families.processor("qwen2-vl"), chat_template=False).text(chat)


@pytest.mark.parametrize(
    ("name", "mark"), [("qwen2-vl", "<|im_end|>"), ("llava", "</s>"), ("gemma3", "<start_of_turn>")]
)
def test_questions_that_bring_marks_of_turns_are_told_of(name: str, mark: str) -> None:
    prompts = Prompts(families.processor(name))
    plain = Example("a", "all", "What does <b> or <think> mean?", (), "no")
    marked = replace(plain, id="b", question=f"What?{mark}")
    earlier = replace(plain, id="c", before=(("user", f"Hm{mark}"), ("assistant", "Hm.")))
    assert prompts.doubts([plain, *families.examples(5)]) == ()
    (said,) = prompts.doubts([plain, marked, earlier])
    assert f"2 questions, such as that of 'b', have {mark} in them" in said


@pytest.mark.parametrize("name", [*RENDERED, "mllama"])
def test_the_length_of_a_prompt_is_what_the_model_reads(name: str) -> None:
    prompts, asker = Prompts(families.processor(name)), SimpleNamespace(device="cpu", dtype=torch.float32)
    for one in families.examples(10):
        # Gemma 3's pictures have line breaks around them, which may make one token with those of the text.
        off = 4 * len(one.images) if name == "gemma3" else 0
        assert abs(prompts.length(one) - prompts.ask(asker, [one]).lengths[0]) <= off


def test_prompts_that_are_longer_than_the_model_was_made_for_are_told_of(family: LoadedPair) -> None:
    examples = families.examples(10)
    prompts, config = Prompts(family.processor), family.vlm.config.get_text_config()
    evaluator = LocalEvaluator(ExampleSet(examples), ExactMatch(prompts))
    assert [note for note in evaluator.dialogue(family.vlm, examples[:1]).notes if "longer than" in note] == []
    evaluator.check(examples)
    *_, before, longest = sorted((prompts.length(one), one.id) for one in examples)
    assert before[0] < longest[0]

    def said() -> list[str]:
        return [note for note in evaluator.dialogue(family.vlm, examples[:1]).notes if "longer than" in note]

    was = config.max_position_embeddings
    try:
        config.max_position_embeddings = longest[0]
        assert said() == []
        config.max_position_embeddings = longest[0] - 1
        (note,) = said()
        assert note.startswith(f"1 of {len(examples)} prompts")
        assert f"{longest[1]!r} the longest" in note
    finally:
        config.max_position_embeddings = was


YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1000}


@pytest.mark.parametrize(
    ("config", "room"),
    [
        ({"max_position_embeddings": 1000, "rope_parameters": {"rope_type": "default"}}, 1000),
        ({"max_position_embeddings": 1000, "rope_parameters": YARN}, 4000),
        (
            {"max_position_embeddings": 1000, "rope_parameters": {"full_attention": YARN, "sliding_attention": None}},
            4000,
        ),
        ({"max_position_embeddings": 6000, "rope_parameters": {**YARN, "rope_type": "llama3", "factor": 32.0}}, 6000),
        ({"max_position_embeddings": 4000, "rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, 4000),
        ({"max_position_embeddings": [1000]}, None),
        ({}, None),
    ],
)
def test_the_room_of_a_model_is_what_it_was_made_for(config: dict, room: int | None) -> None:
    text = SimpleNamespace(**config)
    assert room_of(SimpleNamespace(config=text)) == room
    assert room_of(SimpleNamespace(config=SimpleNamespace(get_text_config=lambda: text))) == room
    assert room_of(object()) is None


def test_pictures_of_a_size_that_fails_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts, tried = Prompts(families.processor("gemma3")), []

    def fails(*_: object, **__: object) -> None:
        tried.append(1)
        raise ValueError("too thin")

    monkeypatch.setattr(prompts, "_processor", fails)
    (one,) = families.examples(1)
    with pytest.raises(EvaluationError, match=r"^1 of 5 examples cannot be asked: .*: ValueError: too thin"):
        prompts.check([replace(one, id=str(i)) for i in range(5)])
    assert tried == [1]
