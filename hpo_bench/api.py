"""What `import hpo_bench as hb` offers: functions that load, compare, tune and merge; each one's own text says how."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from hpo_bench.errors import UsageError
from landscapes import catalogue
from landscapes.landscape import Landscape
from optimizers.base import Optimizer
from optimizers.errors import InvalidSettingError
from optimizers.options import integer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hpo_bench.benchmark.outcome import BenchmarkResult
    from hpo_bench.merging.doctor.diagnosis import Diagnosis
    from hpo_bench.merging.pair import Pair
    from hpo_bench.tuning.study import Study


def load_landscape(name: str, *, surrogate: str | None = None, landscapes_dir: str | Path | None = None) -> Landscape:
    """A recorded merge made continuous: the score of every setting in the recorded box, and where it is highest.

    Args:
        name: PAIR/METHOD, such as "ja-llama/ta"; `hpo-bench landscapes list` shows all.
        surrogate: What interpolates between recorded settings: a radial kernel, or "gp"; a thin-plate spline by
            default.
        landscapes_dir: Where landscapes of your own lie; by default those that ship, and then those that were added.

    Raises:
        LandscapeError: If there is none of that name, or its files cannot be used.
        SurrogateError: If there is no such surrogate.

    Examples:
        >>> landscape = load_landscape("ja-llama/ta")
        >>> landscape.space.names
        ('vl_weight', 'exp_weight')
        >>> scores = landscape.score({"vl_weight": [0.4], "exp_weight": [0.8]})
    """
    return catalogue.load(name, surrogate=surrogate, root=landscapes_dir)


def plot_landscape(landscape: str | Landscape) -> "Figure":
    """A map of a landscape: the surrogate, what was recorded, the optimum; slices where there are three dimensions.

    Args:
        landscape: The landscape, or the name of one.

    Raises:
        LandscapeError: If there is none of that name.
    """
    from hpo_bench.display import landscape_map

    return landscape_map.draw(catalogue.given(landscape))


def run_benchmark(
    optimizers: str | type[Optimizer] | Sequence[str | type[Optimizer]] = (),
    *,
    landscapes: str | Sequence[str] = (),
    seeds: int | None = None,
    budget: int | None = None,
    results: str | Path | None = None,
    report: bool = False,
    jobs: int = 1,
    ray_address: str | None = None,
    surrogate: str | None = None,
    landscapes_dir: str | Path | None = None,
    peers: bool = False,
    suites: str | Sequence[str] = (),
    start: str = "own",
    noisy: bool = False,
    goal: str = "score",
    examples_each: int | None = None,
    progress: bool = True,
) -> "BenchmarkResult":
    """Run optimisers on landscapes, every one with every seed, and compare them.

    Args:
        optimizers: Names, addresses (`module:Class`) or classes, also a notebook's own; all that are built in or
            installed by default.
        landscapes: Names, pairs or methods, with * and ?. By default all, but of a pair and method that were recorded
            in two boxes the wide one alone. With `suites`, landscapes or functions of these.
        seeds: Runs of each; by default 10, and 5 on the mini-suite, whose ranking holds by as many.
        budget: Evaluations of each run; by default 40 in two dimensions and 60 in three.
        results: A results folder: runs that are there are not made again, and what is found is written there. By
            default nothing is kept.
        report: Whether to write the page as well, `index.html` in that folder.
        jobs: Worker processes; 1 is this very process, and 0 one a core.
        ray_address: A Ray cluster to run on: `host:port`, "auto" for the one that is running, or "local" for one of
            this machine's cores; `jobs` is then how many cores to use.
        surrogate: Of the landscapes; a thin-plate spline by default.
        landscapes_dir: Where landscapes of your own lie.
        peers: Whether other packages' optimisers take part as well (extra `peers`).
        suites: "mini", ten landscapes chosen to stand for all that ship, or "study", those in the study's box; or test
            functions in their place: "bbob", "merge-like", or either in one dimension ("bbob-2d").
        start: Where runs begin: "own" (where each optimiser would), "center" (of the box), "design" (four points
            common to all), or "experience" (four settings that were good on recorded landscapes of other pairs).
        noisy: Whether optimisers see scores with the noise of one evaluation.
        goal: "score" (regret on the surrogate), or "test": tuning is replayed on recorded settings example by example,
            and what is recommended counts by its score on examples that no run sees (`summary["unseen"]`); of what runs
            unasked, landscapes without such answers are left out.
        examples_each: With that, how many examples every setting answers; by default as many as were tuned on.
        progress: Whether to show on standard error how far it is.

    Raises:
        HpoBenchError: If it makes no sense, or an optimiser fails.
        LandscapeError: If a landscape is unknown or cannot be used.
        OptimizerError: If an optimiser is unknown or is none.
        SurrogateError: If the surrogate is unknown.

    Examples:
        >>> result = run_benchmark(["gp-bo", "random"], landscapes="ja-*", seeds=10)  # doctest: +SKIP
        >>> result.headline.xs("end", level="at")  # doctest: +SKIP
    """
    import joblib

    from hpo_bench.benchmark import pipeline
    from hpo_bench.benchmark.store import ResultsFolder
    from hpo_bench.display import console
    from hpo_bench.workers import Local, RayCluster

    if report and results is None:
        raise UsageError("a report needs a results folder to be written to; or call write_report of what is returned")
    optimizers = (optimizers,) if isinstance(optimizers, str | type) else _several("optimizers", optimizers)
    landscapes = (landscapes,) if isinstance(landscapes, str) else _several("landscapes", landscapes)
    if unnamed := [one for one in landscapes if not isinstance(one, str)]:
        raise UsageError(f"landscapes are given by name, such as ja-llama/ta, and not as {unnamed[0]!r}")
    seeds, budget, examples_each = (
        None if value is None else _whole(what, value, least=1)
        for what, value in (("seeds", seeds), ("budget", budget), ("examples_each", examples_each))
    )
    jobs = _whole("jobs", jobs, least=0) or joblib.cpu_count()
    cluster = None if ray_address == "local" else ray_address
    workers = Local(jobs) if ray_address is None else RayCluster(jobs, cluster)
    workers.ahead(pipeline.modules(optimizers, report=report))
    shown = console.progress() if progress else Console(quiet=True)
    with tempfile.TemporaryDirectory(prefix="hpo-bench-") as scratch:
        folder = ResultsFolder(Path(scratch) / "results" if results is None else Path(results))
        folder.check()
        plan = pipeline.plan(
            landscapes,
            identities=optimizers,
            landscapes_dir=None if landscapes_dir is None else Path(landscapes_dir),
            seeds=seeds, budget=budget, surrogate=surrogate, with_peers=peers, start=start, noisy=noisy,
            suites=[suites] if isinstance(suites, str) else suites, goal=goal, examples_each=examples_each,
            warned=shown.print,
        )  # fmt: skip
        return pipeline.execute(plan, folder, workers=workers, report=report, progress=shown)


def load_pair(
    name: str | Path | None = None, *, base: str | Path | None = None, vlm: str | Path | None = None,
    expert: str | Path | None = None,
    pairs: str | Path = "nano", language_prefixes: Mapping[str, str] | None = None,
) -> "Pair":  # fmt: skip
    """A VLM, an expert and the base that both come from; no model is loaded yet.

    Args:
        name: The name of a pair that ships, was built or is the study's; a YAML file, or a folder with a `pair.yaml`.
        base: In place of a name: a folder, or `hf://owner/name`.
        vlm: Likewise.
        expert: Likewise.
        pairs: Where built nano pairs lie.
        language_prefixes: How names of the VLM's language tensors begin, and how a language model's do, such as
            `{"model.language_model.": "model."}`; by default as the pair says, or else found by the base.

    Raises:
        UsageError: If there is none, or its description cannot be used.

    Examples:
        >>> load_pair("ja-llama").domain
        'language'
    """
    from hpo_bench.merging.find import given

    name, base, vlm, expert = (None if one is None else str(one) for one in (name, base, vlm, expert))
    return given(name, base=base, vlm=vlm, expert=expert, built=Path(pairs), language_prefixes=language_prefixes)


def check_pair(
    pair: "str | Path | Pair",
    *,
    candidates: Sequence[str | Path] = (),
    dtype: str | None = None,
    trust_remote_code: bool = False,
    progress: bool = True,
) -> "Diagnosis":
    """See whether base, VLM and expert fit together, before anything is spent on them.

    Args:
        pair: The pair, or what `load_pair` finds it by.
        candidates: Other bases to compare with, folders or `hf://owner/name`.
        dtype: "float32", "bfloat16" or "stored", for the memory needed; by default what the pair says.
        trust_remote_code: Whether code that comes with the VLM may run; the pair must ask for it as well.
        progress: Whether to show on standard error how far it is.

    Returns:
        What was found: `fit` is false where a merge would be wrong, and `findings` say why.

    Raises:
        UsageError: If there is no such pair, candidate or dtype.
        MergeError: If a checkpoint cannot be read at all.
    """
    from hpo_bench.display import console
    from hpo_bench.display.steps import Steps
    from hpo_bench.merging.doctor.diagnosis import diagnose
    from hpo_bench.merging.find import as_pair
    from hpo_bench.merging.source import parse_source

    found, given = as_pair(pair), [candidates] if isinstance(candidates, str | Path) else candidates
    others = {str(one): parse_source(str(one), Path.cwd(), confined=False, where="candidate base") for one in given}
    with Steps(console.progress() if progress else Console(quiet=True), found.name) as steps:
        return diagnose(
            found,
            candidates=others,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
            progress=lambda done, total: steps.show(done, total, "tensors"),
        )


def merge(
    pair: "str | Path | Pair",
    method: str = "ta",
    *,
    out: str | Path,
    samples: int = 500,
    mask_seed: int = 0,
    dtype: str | None = None,
    device: str | None = None,
    stream: bool = False,
    trust_remote_code: bool = False,
    **parameters: float | None,
) -> Path:
    """Merge a pair once and write it as a Hugging Face folder.

    Args:
        pair: What to merge, or the name or path that `load_pair` finds it by.
        method: "ta" (Task Arithmetic), "dare", "ties" or any other by name, or a class's address (`module:Class`).
        out: The folder for the model, new or empty.
        samples: Calibration samples of each model, at most, for methods that need them.
        mask_seed: Of masks that are drawn at random.
        dtype: "float32", "bfloat16" or "stored"; by default what the pair says.
        device: Where to merge; by default the CPU.
        stream: Whether to go tensor by tensor from disk to disk, for models larger than memory; in float32 on the CPU.
        trust_remote_code: Whether code that comes with the VLM may run; the pair must ask for it as well.
        **parameters: The method's hyperparameters, such as `vl_weight` and `exp_weight`, the coefficients of the VLM's
            and the expert's task vectors, or `density`, the share of each that DARE and TIES keep. None is not given.

    Returns:
        The folder.

    Raises:
        UsageError: If the setting makes no sense, or the folder is taken.
        MergeError: If the models cannot be merged.

    Examples:
        >>> merge("ja-llama", "ta", vl_weight=0.6, exp_weight=0.8, out="merged")  # doctest: +SKIP
    """
    from hpo_bench.merging.setting import MergeSetting

    setting = MergeSetting(method, **parameters)
    if stream and (dtype or device):
        raise UsageError("a stream merges in float32 on the CPU; leave out dtype and device, or the stream")

    from hpo_bench.merging.find import as_pair

    found, folder = as_pair(pair), Path(out)
    mask_seed, samples = _whole("mask_seed", mask_seed, least=0), _whole("samples", samples, least=2)

    from hpo_bench.evaluation.calibration.sets import calibrated
    from hpo_bench.merging.engine.resident import Resident
    from hpo_bench.merging.loaded import LoadedPair
    from hpo_bench.merging.writing.export import export_merge, stream_merge
    from hpo_bench.merging.writing.folder import check_free
    from hpo_bench.nano.texts import new_texts

    check_free(folder, apart_from=found.folders)
    if stream:
        stream_merge(found, setting, folder, mask_seed=mask_seed, trust_remote_code=trust_remote_code)
    else:
        loaded = LoadedPair.load(found, dtype=dtype, device=device, trust_remote_code=trust_remote_code)
        texts = new_texts(found.folder, samples) if setting.kind.needs else ()
        statistics = calibrated(found, loaded, setting.kind, samples, texts=texts)
        engine = Resident(loaded, mask_seed=mask_seed, statistics=statistics)
        export_merge(found, loaded, setting, folder, engine=engine)
    return folder


def load_study(name: str | Path, *, studies: str | Path = "tuning", pair: "str | Path | Pair | None" = None) -> "Study":
    """A study that was begun, to be looked at; nothing is made in it.

    Args:
        name: Its name, or the path of its folder.
        studies: The folder in which studies lie.
        pair: Its pair, or name or path of it, where that has moved.

    Raises:
        UsageError: If there is none of that name.
        TuningError: If it cannot be read.
    """
    from hpo_bench.tuning.study import Study

    return Study.open(name, Path(studies), pair=pair)


def _several(what: str, given: object) -> tuple[Any, ...]:
    """What is looked at more than once, and so no generator."""
    if given is None:
        return ()
    if not isinstance(given, Iterable):
        raise UsageError(f"{what} must be one or a list of them, not {given!r}")
    return tuple(given)


def _whole(what: str, value: object, *, least: int) -> int:
    try:
        return integer(what, value, least=least)
    except InvalidSettingError as error:
        raise UsageError(str(error)) from error
