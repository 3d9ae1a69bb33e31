"""`hpo-bench compare`: worse is told from luck, and what cannot be compared is refused."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from hpo_bench.benchmark.regression import compare_results
from hpo_bench.cli.tree import cli
from hpo_bench.errors import ResultsError, UsageError
from hpo_bench.files import sha256

NAMES = [f"pair-{i}/ta" for i in range(8)]


def write(folder, *, factor=1.0, seeds=5, names=NAMES, luck=0.0, optimizers=("gp-bo", "random"), **changes):
    """A results folder in which GP-BO's regret is multiplied, and every landscape is otherwise the same."""
    rng, rows = np.random.default_rng(0), []
    noise = np.random.default_rng(1)
    for name in names:
        for optimizer in optimizers:
            for seed in range(seeds):
                start = rng.uniform(0.2, 0.3) * (factor if optimizer == "gp-bo" else 1.0)
                curve = start / np.arange(1, 13) * np.exp(luck * noise.normal())
                rows += [(name, optimizer, seed, t, -regret, regret) for t, regret in enumerate(curve, start=1)]
    folder.mkdir()
    columns = ["landscape", "optimizer", "seed", "t", "score", "regret"]
    pd.DataFrame(rows, columns=columns).to_parquet(folder / "runs.parquet")
    about = {"content_hash": "a", "budget": 12, "noise_over_range": 0.01, "random_regret": {"t>=10": 0.1, "end": 0.1}}
    content = {
        "noisy": False,
        "start": "own",
        "optimizers": {one: {"label": {"gp-bo": "GP-BO"}.get(one, one.title())} for one in optimizers},
        "landscapes": [{"name": name, "pair": name.partition("/")[0], **about} for name in names],
        "files": {"runs.parquet": sha256(folder / "runs.parquet")},
        **changes,
    }
    (folder / "summary.json").write_text(json.dumps(content))
    return folder


def call(*arguments):
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)])


@pytest.mark.parametrize(("factor", "verdict", "code"), [(1.0, "open", 0), (1.3, "worse", 1), (0.7, "better", 0)])
def test_an_optimiser_that_became_worse_is_found(tmp_path, factor, verdict, code):
    before, after = write(tmp_path / "a"), write(tmp_path / "b", factor=factor)
    found = compare_results(before, after)
    gp, other = found.optimizers
    assert (gp.verdict, other.verdict, found.at, found.seeds) == (verdict, "open", "t>=10", 5)
    assert gp.after / gp.before == pytest.approx(factor)
    assert gp.found.difference.value == pytest.approx(gp.before - gp.after)
    told = call(before, after)
    assert told.exit_code == code
    assert f"Significantly worse: {'GP-BO' if code else 'none'}." in told.output
    machine = json.loads(call(before, after, "--json").output)
    assert machine["optimizers"]["gp-bo"]["verdict"] == verdict
    assert machine["worse"] == (["GP-BO"] if code else [])


def test_luck_is_not_called_worse(tmp_path):
    assert compare_results(write(tmp_path / "a"), write(tmp_path / "b", factor=1.01, luck=0.5)).worse == []


def test_what_intervals_are_over_is_said(tmp_path):
    found = compare_results(write(tmp_path / "a"), write(tmp_path / "b"))
    assert (found.pairs, "95% intervals over pairs," in found.sentences()[0]) == (8, True)
    own = ["one/ta", "one/ties"]
    found = compare_results(write(tmp_path / "c", names=own), write(tmp_path / "d", names=own))
    assert (found.pairs, "95% intervals over the seeds of one pair," in found.sentences()[0]) == (1, True)


def test_what_has_no_interval_is_not_passed_over_as_not_worse(tmp_path):
    before, after = (write(tmp_path / name, names=NAMES[:2], factor=one) for name, one in (("a", 1.0), ("b", 3.0)))
    assert "Of GP-BO nothing can be said: intervals take landscapes of 3 pairs or more, or 3 seeds of one." in (
        compare_results(before, after).sentences()
    ), "Random is the same in both"
    assert not any("nothing can be said" in one for one in compare_results(before, before).sentences())


def test_what_is_not_in_both_is_left_out_and_told(tmp_path):
    before = write(tmp_path / "a", names=NAMES[:7], seeds=3)
    after = write(tmp_path / "b", names=NAMES[1:], optimizers=("gp-bo", "random", "grid"))
    found = compare_results(before, after)
    assert (len(found.landscapes), found.seeds) == (6, 3)
    assert found.left_out == ("pair-0/ta", "pair-7/ta", "grid")
    assert "Left out, as not the same in both: grid, pair-0/ta, pair-7/ta" in call(before, after).output


def test_what_cannot_be_compared_is_refused(tmp_path):
    before = write(tmp_path / "a")
    with pytest.raises(UsageError, match=r"differ in --noisy \(False and True\)"):
        compare_results(before, write(tmp_path / "noisy", noisy=True))
    with pytest.raises(UsageError, match="no landscape with the same content and budget in common"):
        compare_results(before, write(tmp_path / "others", names=["other/ta"]))
    with pytest.raises(UsageError, match="no optimiser in common"):
        compare_results(before, write(tmp_path / "who", optimizers=("grid",)))
    with pytest.raises(ResultsError, match=r"summary\.json does not exist; .*make it with `hpo-bench run --results"):
        compare_results(before, tmp_path)
    (tmp_path / "who" / "summary.json").write_text("[]")
    with pytest.raises(ResultsError, match="is not of this version"):
        compare_results(before, tmp_path / "who")


def test_a_summary_of_other_runs_than_lie_there_is_refused_and_no_all_clear(tmp_path):
    before, torn = write(tmp_path / "a"), write(tmp_path / "torn")
    shutil.copy(write(tmp_path / "b", names=NAMES[:3]) / "runs.parquet", torn)  # a run that was ended between the two
    for folders in ((before, torn), (torn, before)):
        with pytest.raises(ResultsError, match=r"torn/summary\.json is of other runs than .*torn/runs\.parquet"):
            compare_results(*folders)
    assert call(before, torn).exit_code != 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.update(landscapes=3),
        lambda content: content["landscapes"][0].pop("content_hash"),
        lambda content: content["landscapes"][0].pop("random_regret"),
        lambda content: content["landscapes"][0].update(random_regret={"t>=10": "low", "end": 0.1}),
        lambda content: content["landscapes"][0].update(random_regret={"t>=10": float("nan"), "end": 0.1}),
        lambda content: content["optimizers"]["random"].pop("label"),
        lambda content: content.update(optimizers=["random"]),
        lambda content: content.pop("files"),
    ],
)
def test_a_damaged_summary_is_named(tmp_path, damage):
    before, after = write(tmp_path / "a"), write(tmp_path / "b")
    content = json.loads((after / "summary.json").read_text())
    damage(content)
    (after / "summary.json").write_text(json.dumps(content))
    with pytest.raises(ResultsError, match=r"b/summary\.json is .*damaged; run `hpo-bench run --results"):
        compare_results(before, after)
