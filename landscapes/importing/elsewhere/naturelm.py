"""An 8B audio-language model interpolated with its language model (Marincione et al., 2025): one weight, eleven sweeps.

`results/<task>/beans_zero_eval_<dataset>_query<n>_lora<100 alpha>.jsonl`: one line an example, with its prediction and
label. The authors score with packages and models of their own; here an answer is right if it contains the name that was
asked for, in any case. That is the common name; for the datasets with `<dataset>_vernacular_scientific_mapping.jsonl`
the first query asks for the common name, the second for the scientific, the third for both, as in the authors' scripts.
Scored by the common name alone, answers to the second query that are right would count as wrong.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from landscapes.errors import InvalidGridError
from landscapes.importing.elsewhere.checkout import Publication, PublishedSweep, Report, missing
from landscapes.importing.examples import averaged
from landscapes.importing.sweep import Sweep
from landscapes.outcomes import EVERY, split_of, split_rule
from landscapes.space import SearchSpace
from landscapes.written import read_json_lines

NAME, REPOSITORY = "naturelm", "github.com/gladia-research-group/model-merging-NatureLM-audio"
FILE = re.compile(r"beans_zero_eval_(?P<dataset>.+)_query(?P<query>\d+)_lora(?P<percent>\d{3})\.jsonl")
KEYS = ("id", "label", "prediction", "prompt")
WEIGHT, TUNED = "audio_weight", 1.0
"""What the language part is weighted by, and where it is the audio model's own."""
SHARE = 0.5
"""Of the examples that are tuned on: a fifth of the smallest task would be 25."""
ASKED = ("common", "scientific", "both")
"""What the queries of a dataset with scientific names ask for."""
NOTES = (
    "The language part of NatureLM-audio interpolated with the language model that it was tuned from: 0 is that, 1 "
    "the audio model. Scored here, not by the authors: an answer is right if it contains the {asked} in any case."
)


def read(path: Path, report: Report) -> Iterator[PublishedSweep]:
    """The sweeps of a checkout.

    Raises:
        InvalidGridError: If the folder is no such checkout, or a file cannot be read; file and row are named.
    """
    folder = path / "results"
    files: dict[tuple[str, str, int], dict[float, Path]] = {}
    for file in sorted(folder.glob("*/*.jsonl")):
        if found := FILE.fullmatch(file.name):
            key = file.parent.name, found["dataset"], int(found["query"])
            files.setdefault(key, {})[int(found["percent"]) / 100] = file
    if not files:
        raise missing(NAME, path, "results/TASK/beans_zero_eval_..._lora000.jsonl", REPOSITORY)
    alone = {}
    for (task, dataset, query), by_weight in files.items():
        if len(by_weight) < 2:
            alone.setdefault(task, []).append(f"query {query}")
            continue
        yield _sweep(path, task, dataset, query, by_weight, report)
    for task, queries in alone.items():
        report(f"{folder / task}: {', '.join(queries)} recorded at one weight alone, which is no sweep; left out")


def _sweep(
    path: Path, task: str, dataset: str, query: int, by_weight: Mapping[float, Path], report: Report
) -> PublishedSweep:
    scientific = _scientific(path / f"{dataset}_vernacular_scientific_mapping.jsonl")
    if scientific is not None and query >= len(ASKED):
        raise InvalidGridError(f"{next(iter(by_weight.values()))}: no query {query} is known of {dataset}")
    asked = ASKED[query] if scientific is not None else "common"
    name = f"naturelm-audio/{task}" if scientific is None else f"naturelm-audio/{task}-{asked}"
    answers, prompts, repeats = [], {}, 0
    for weight, file in sorted(by_weight.items()):
        seen: set[str] = set()
        for row, line in _lines(file):
            if line["id"] in seen:
                repeats += 1
                continue
            seen.add(line["id"])
            prompts.setdefault(line["id"], set()).add(line["prompt"])
            names = _names(line["label"], scientific, asked, f"{file}, row {row}")
            right = all(one.lower() in line["prediction"].lower() for one in names)
            answers.append((weight, split_of(line["id"], share=SHARE), line["id"], EVERY, right))
    frame = pd.DataFrame(answers, columns=[WEIGHT, "split", "id", "category", "correct"])
    everywhere = frame.groupby("id")["correct"].transform("size") == len(by_weight)
    if "validation" not in set(frame.loc[everywhere, "split"]):
        raise InvalidGridError(
            f"{path / 'results' / task}: no example to tune on was answered at every weight of query {query}; restore "
            "its files"
        )
    if lacking := frame.loc[~everywhere, "id"].nunique():
        report(f"{name}: {lacking} examples were not answered at every weight; left out")
    if repeats:
        report(f"{name}: {repeats} answers stand in a file a second time; the first is taken")
    notes = NOTES.format(asked=_words(asked))
    if changing := sum(len(asked) > 1 for asked in prompts.values()):
        told = (
            f"{changing} of {len(prompts)} examples were asked otherwise at different weights (options in another "
            "order, other worked examples), so that a part of each difference is that"
        )
        report(f"{name}: {told}")
        notes += f" {told}."
    frame = frame[everywhere].reset_index(drop=True)
    box = SearchSpace.of({WEIGHT: (min(by_weight), max(by_weight))})
    about = {
        "benchmark": f"BEANS-Zero, {task}, query {query}",
        "base": "meta-llama/Meta-Llama-3.1-8B-Instruct",
        "metric": f"the answer contains the {_words(asked)}",
        "units": "fraction correct",
        "split_rule": split_rule(SHARE),
        "merge_options": {"method": "the adapter's weights scaled"},
        "asked_alike": not changing,
        "notes": notes,
    }
    tuned = frame[frame[WEIGHT] == TUNED]
    sweep = Sweep(averaged(frame, box), box, {}, frame, None if tuned.empty else tuned)
    return PublishedSweep(name, sweep, about, path / "results" / task)


def _words(asked: str) -> str:
    return "common and the scientific name" if asked == "both" else f"{asked} name"


def _lines(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for row, line in read_json_lines(file, wrong=InvalidGridError):
        lacking = [key for key in KEYS if not isinstance(line, dict) or not isinstance(line.get(key), str)]
        if lacking:
            raise InvalidGridError(f"{file}, row {row}: {lacking[0]!r} is missing or no text; restore the file")
        yield row, line


def _scientific(file: Path) -> dict[str, str] | None:
    """Scientific names by common ones; None for a dataset without."""
    if not file.exists():
        return None
    found = {}
    for row, line in read_json_lines(file, wrong=InvalidGridError):
        try:
            found[str(line["label"])] = str(line["scientific_name"])
        except (TypeError, KeyError):
            raise InvalidGridError(f"{file}, row {row}: has no label and scientific_name; restore the file") from None
    return found


def _names(label: str, scientific: Mapping[str, str] | None, asked: str, where: str) -> list[str]:
    if scientific is None or asked == "common":
        return [label]
    if label not in scientific:
        raise InvalidGridError(f"{where}: nobody says what {label!r} is called scientifically; restore the mapping")
    return [scientific[label], *([label] if asked == "both" else [])]


PUBLICATION = Publication(
    name=NAME,
    about="eleven sweeps of one weight: an 8B audio-language model against its language model, example by example",
    repository=REPOSITORY,
    commit="202db6b30031e7107a351b1e3c290117b621fa52",
    date="2025-11-10",
    licence="MIT",
    citation=(
        "Marincione, Crisostomi, Dessi, Rodolà and Rossi (2025): Model Merging Improves Zero-Shot Generalization in "
        "Bioacoustic Foundation Models. arXiv:2511.05171."
    ),
    read=read,
)
