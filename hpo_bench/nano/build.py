"""Building a nano pair, stage by stage; a stage that is done is never done again."""

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from filelock import FileLock, Timeout
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, PreTrainedTokenizerFast
from transformers.utils.logging import disable_progress_bar

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import Example, write_examples
from hpo_bench.files import write
from hpo_bench.merging.writing.folder import finished_folder
from hpo_bench.nano import training
from hpo_bench.nano.architectures import ARCHITECTURES
from hpo_bench.nano.architectures.base import IMAGE_TOKENS
from hpo_bench.nano.keeper import Keeper
from hpo_bench.nano.pictures import Album, make_album, to_png
from hpo_bench.nano.recipes import SKILLS, PairRecipe
from hpo_bench.nano.skills import general
from hpo_bench.nano.vocabulary import base_text, sample_texts
from hpo_bench.nano.world import DIGITS, NUMBER, Thing, Turn, objects
from landscapes.written import read_text

SEEING_LR = 2e-3
"""Peak learning rate of what sees, while the language model stays as it is."""
CONNECTOR_STEPS = 40
"""Of the VLM's connector alone, before all of it is tuned."""
STAGES = ("base", "aligned", "vlm", "expert", "examples")
LICENCE = (
    "weights Apache-2.0; pictures Twemoji (CC BY 4.0, Twitter and contributors) and UCI handwritten digits "
    "(CC BY 4.0); names Unicode CLDR"
)
NOTES = {
    "nano": "Nano pair: {architecture} models of about {about} parameters, trained from scratch on a CPU on drawings "
    "and handwritten digits of 24 x 24 pixels. Real merges and real evaluations, but not of real-size models.",
    "pretrained": "Pretrained pair: {architecture} models of about {about} parameters. The language model was really "
    "pretrained; VLM and expert were tuned from it on a CPU, in their uppermost layers alone, and what sees is a "
    "tower trained from scratch on drawings of 24 x 24 pixels. Real merges and real evaluations, but not of "
    "real-size models.",
}
Report = Callable[[str, int, int, float], None]
"""Called with the stage's name, steps done, steps in all, and the loss."""


def build(recipe: PairRecipe, folder: Path, *, cache: Path, report: Report) -> None:
    """Train a pair from nothing, or go on where an earlier build stopped.

    Args:
        recipe: What to build.
        folder: Where the pair's folder goes, with `base`, `vlm` and `expert` as Hugging Face checkpoints in bfloat16,
            `examples.parquet` and `pair.yaml`.
        cache: Folder for downloaded drawings.
        report: Told of progress.

    Raises:
        UsageError: If another process builds it, the folder holds a build of another recipe, a package of the extra
            `nano` is missing, or drawings cannot be had.
    """
    disable_progress_bar()  # transformers would draw its own across ours
    builder = _Builder(recipe, folder, cache, report)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):  # let go by the system when the process ends, however it ends
            _build(recipe, folder, builder)
    except Timeout as error:
        raise UsageError(f"{folder} is being built by another process; wait for it, or stop it") from error


def _build(recipe: PairRecipe, folder: Path, builder: "_Builder") -> None:
    _claim(recipe, folder)
    for stage in STAGES:
        if not builder.path(stage).exists():
            getattr(builder, stage)()
    shutil.rmtree(folder / ".training", ignore_errors=True)  # what kept the trainings resumable
    manifest = {
        "name": recipe.pair,
        "tier": recipe.tier,
        "domain": recipe.domain,
        "benchmark": recipe.benchmark,
        "base": "base",
        "vlm": "vlm",
        "expert": "expert",
        "examples": "examples.parquet",
        "licence": LICENCE,
        "notes": NOTES[recipe.tier].format(architecture=recipe.architecture, about=builder.architecture.size.about),
    }
    write(folder / "pair.yaml", yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True))


def _claim(recipe: PairRecipe, folder: Path) -> None:
    path = folder / "recipe.json"
    text = json.dumps(recipe.as_dict(), indent=1)
    if not path.exists():
        write(path, text)
    elif read_text(path, wrong=UsageError) != text:
        raise UsageError(f"{folder} holds a build of another recipe (see {path}): remove it or choose another folder")


def _diet(things: Sequence[Thing], digit_share: float) -> tuple[Thing, ...]:
    """The things with digits repeated until they are about that share; without them where it is 0."""
    digits = [thing for thing in things if thing.kind == NUMBER]
    others = [thing for thing in things if thing.kind != NUMBER]
    if not digit_share:
        return tuple(others)
    repeats = round(digit_share / (1 - digit_share) * len(others) / len(digits))
    return (*others, *digits * max(1, repeats))


class _Builder:
    """The stages of one build, each of which is there whole or not at all."""

    def __init__(self, recipe: PairRecipe, folder: Path, cache: Path, report: Report) -> None:
        self.recipe = recipe
        self.folder = folder
        self.report = report
        self.architecture = ARCHITECTURES[recipe.architecture]
        every = (*objects(), *DIGITS)
        self.tokenizer = self._tokenizer(every)
        self.things: tuple[Thing, ...] = self.architecture.known(self.tokenizer, every)
        self.diet = _diet(self.things, recipe.digit_share)
        self.skill, self.general = recipe.ability, recipe.general
        self._cache = cache
        self._album: Album | None = None

    def path(self, stage: str) -> Path:
        """What a stage leaves behind."""
        return self.folder / {"aligned": ".aligned", "examples": "examples.parquet"}.get(stage, stage)

    @property
    def album(self) -> Album:
        """The pictures; drawn once a build, the same for the same recipe."""
        if self._album is None:
            self._album = make_album(self.things, cache=self._cache, rng=self._rng("album"), shots=self.recipe.shots)
        return self._album

    def base(self) -> None:
        """Train the base language model on plain English and other reading."""
        rng = self._rng("base")
        model = self.architecture.language_model(self.tokenizer)
        if not self.recipe.base_steps:
            self._save("base", model, self.tokenizer)
            return
        batches = training.text_batches(
            self.tokenizer, lambda: ("", base_text(rng, self.diet, general, IMAGE_TOKENS)), answer_only=False
        )
        course = self._course("base", rng, self.recipe.base_steps, self.recipe.base_lr)
        training.train_language_model(model, batches, course)
        self._save("base", model, self.tokenizer)

    def aligned(self) -> None:
        """Teach the vision tower to tell things apart, then to speak the base's word embeddings."""
        rng = self._rng("aligned")
        vlm = self.architecture.vlm(self._load_language_model("base"), self.tokenizer)
        course = self._course("vision tower", rng, self.recipe.tower_steps, SEEING_LR)
        training.train_tower(self.architecture, vlm, self.album.seen, self.diet, course, rng=rng)
        course = self._course("alignment", rng, self.recipe.align_steps, SEEING_LR)
        training.align(self.architecture, vlm, self.tokenizer, self.album.seen, self.diet, course, rng=rng)
        self._save("aligned", vlm, self.tokenizer)

    def vlm(self) -> None:
        """Tune the connector, then everything, then drift."""
        rng = self._rng("vlm")
        vlm: Any = AutoModelForImageTextToText.from_pretrained(self.path("aligned"), dtype=torch.float32)
        # The tower stays as it is, as in LLaVA's recipe.
        self.architecture.tower(vlm).requires_grad_(False)
        connector = list(self.architecture.connector(vlm).parameters())
        everything = self.architecture.tuned(vlm)
        phases = (
            ("connector", connector, CONNECTOR_STEPS, 5e-4),
            ("tuning", everything, self.recipe.tune_steps, self.recipe.tune_lr),
            ("drift", everything, self.recipe.drift_steps, self.recipe.drift_lr),
        )
        for name, parameters, steps, learning_rate in phases:
            if not parameters[0].requires_grad:
                continue
            training.tune(
                self.architecture,
                vlm,
                self.tokenizer,
                self.album.seen,
                lambda: self.general(rng, self.diet),
                self._course(name, rng, steps, learning_rate),
                rng=rng,
                parameters=parameters,
                size=self.recipe.batch,
            )
        self._save("vlm", vlm, self.architecture.processor(self.tokenizer))

    def expert(self) -> None:
        """Tune the base on the skill, in words only; some base reading mixed in keeps plain answers alive."""
        rng = self._rng("expert")
        model = self._load_language_model("base")

        def draw() -> tuple[str, str]:
            skill = self.general if rng.random() < self.recipe.replay else self.skill
            turn = skill(rng, self.diet)
            repeat = IMAGE_TOKENS if rng.random() < 1 / 3 else 1
            return self.architecture.framed(turn.in_words(repeat)), turn.answer

        parameters = self.architecture.tuned(model)
        batches = training.text_batches(
            self.tokenizer, draw, answer_only=True, size=self.recipe.batch, glue=self.architecture.glue
        )
        course = self._course("expert", rng, self.recipe.expert_steps, self.recipe.expert_lr)
        training.train_language_model(model, batches, course, noise=1.0, parameters=parameters)
        self._save("expert", model, self.tokenizer)

    def examples(self) -> None:
        """Draw the benchmark, with pictures that training never saw."""
        rng = self._rng("examples")
        examples = []
        for index in range(self.recipe.examples):
            category = "skill" if rng.random() < self.recipe.skill_share else "general"
            turn = (self.skill if category == "skill" else self.general)(rng, self.diet)
            examples.append(self._example(index, category, turn, rng))
        write(self.path("examples"), lambda path: write_examples(examples, path))

    def _example(self, index: int, category: str, turn: Turn, rng: np.random.Generator) -> Example:
        shots = [self.album.unseen[thing.word] for thing in turn.things]
        images = tuple(to_png(album[int(rng.integers(len(album)))]) for album in shots)
        name = f"{self.recipe.benchmark}-{self.recipe.seed}-{index:04d}"
        return Example(
            id=name,
            category=category,
            question=turn.in_pictures(self.architecture.picture),
            images=images,
            answer=turn.answer,
        )

    def _tokenizer(self, things: Sequence[Thing]) -> PreTrainedTokenizerFast:
        rng = np.random.default_rng(0)
        reading = [base_text(rng, things, general, 1) for _ in range(1000)]
        texts = reading + sample_texts([*SKILLS.values(), general], things)
        return self.architecture.tokenizer(things, texts)

    def _course(self, name: str, rng: np.random.Generator, steps: int, learning_rate: float) -> training.Course:
        keeper = Keeper(self.folder / ".training" / f"{name}.pt", rng)
        return training.Course(steps, learning_rate, partial(self.report, name), keeper)

    def _rng(self, stage: str) -> np.random.Generator:
        """A generator of the stage's own, so that a resumed build draws what an uninterrupted one would have."""
        torch.manual_seed(np.random.SeedSequence([self.recipe.seed, *stage.encode()]).generate_state(1)[0].item())
        return np.random.default_rng([self.recipe.seed, *stage.encode()])

    def _load_language_model(self, stage: str) -> Any:
        model = AutoModelForCausalLM.from_pretrained(self.path(stage), dtype=torch.float32)
        model.config.name_or_path = ""  # else the builder's folder would be published with what is trained from it
        return model

    def _save(self, stage: str, model: Any, words: Any) -> None:
        with finished_folder(self.path(stage)) as scratch:
            # Stored as real checkpoints are; what follows trains from the rounded weights, as real fine-tuning does.
            model.to(torch.bfloat16).save_pretrained(scratch)
            words.save_pretrained(scratch)
