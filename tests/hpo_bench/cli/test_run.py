import json
import re
import sys
from pathlib import Path

import pandas as pd
import pytest
import synthetic

import hpo_bench as hb
from hpo_bench.benchmark import pipeline
from hpo_bench.cli import main
from landscapes.suites import mini
from landscapes.suites.recorded import members


@pytest.fixture
def root(tmp_path):
    synthetic.record(tmp_path / "grids", "smooth-a/ta")
    synthetic.record(tmp_path / "grids", "smooth-b/dare", seed=1)
    return tmp_path / "grids"


@pytest.fixture
def hpo_bench(root, tmp_path, monkeypatch, capsys):
    """Runs the command as a shell would: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, grids=root):
        where = () if grids is None else ("--landscapes-dir", grids)
        monkeypatch.setattr(sys, "argv", ["hpo-bench", "run", *map(str, (*where, *arguments))])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


QUICK = ("-j", 1, "--seeds", 2, "--budget", 12, "-o", "random", "-o", "sobol", "--no-report")


def test_prints_the_table_and_writes_what_it_promises(hpo_bench, tmp_path):
    code, out, _ = hpo_bench(*QUICK)
    assert code == 0
    assert "Sobol" in out
    assert "luck alone" in out
    assert "8 runs made and 0 already stored" in out
    table = pd.read_parquet(tmp_path / "results" / "runs.parquet")
    assert len(table) == 2 * 2 * 2 * 12
    assert set(table["optimizer"]) == {"random", "sobol"}
    content = json.loads((tmp_path / "results" / "summary.json").read_text())
    assert set(content["null_band"]) == {"10", "end", "t>=10"}
    for one in content["optimizers"].values():
        assert {"at", "equivalent_random_budget", "seconds_per_suggestion"} <= set(one)
        for figures in one["at"].values():
            assert {"median_ror", "geometric_mean_ror", "ratio_of_means", "mean_regret"} <= set(figures)
            assert (figures["mean_regret"]["low"], figures["mean_regret"]["high"]) == (None, None), "of two pairs"
    assert (
        "There are no intervals, which take landscapes of 3 pairs or more, or of one alone; luck alone is simulated."
        in out
    )
    assert "There are no intervals, which take 3 seeds or more (--seeds);" in hpo_bench(*QUICK, "-l", "smooth-a/ta")[1]
    assert "no intervals" not in hpo_bench(*QUICK, "-l", "smooth-a/ta", "--seeds", 3)[1]
    for found in content["exclusions"].values():
        assert found["counted"] + found["excluded"] == 2
    assert content["wall_seconds"] > 0


def test_a_page_of_an_earlier_command_is_not_taken_for_this_one_s(hpo_bench, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "format.json").write_text('{"format": 1}')
    assert "earlier command" not in hpo_bench(*QUICK)[1]
    (tmp_path / "results" / "index.html").write_text("of others")
    assert f"{Path('results', 'index.html')} is of an earlier command" in hpo_bench(*QUICK)[1]


def test_again_makes_nothing_and_says_the_same(hpo_bench):
    _, first, _ = hpo_bench(*QUICK)
    code, second, _ = hpo_bench(*QUICK)
    assert code == 0
    assert "0 runs made and 8 already stored" in second
    table = re.compile(r"optimiser.*luck alone[^\n]*", re.DOTALL)
    assert table.search(first)[0] == table.search(second)[0]


def test_patterns_choose_landscapes_and_other_runs_are_kept(hpo_bench, tmp_path):
    hpo_bench(*QUICK)
    code, out, _ = hpo_bench(*QUICK, "-l", "dare")
    assert code == 0
    assert "0 runs made and 4 already stored" in out
    assert set(pd.read_parquet(tmp_path / "results" / "runs.parquet")["landscape"]) == {"smooth-b/dare"}
    assert "0 runs made and 8 already stored" in hpo_bench(*QUICK)[1]


def test_an_optimizer_of_ones_own(hpo_bench, tmp_path):
    (tmp_path / "centre_of_my_own.py").write_text(
        "from optimizers import Optimizer\n"
        "class Centre(Optimizer):\n"
        "    name, label = 'centre', 'Centre'\n"
        "    @classmethod\n"
        "    def _propose(cls, optimizers):\n"
        "        return [[0.5] * o.dim for o in optimizers]\n"
    )
    code, out, err = hpo_bench(*QUICK, "-o", "centre_of_my_own:Centre")
    assert code == 0, err
    assert "Centre" in out


def test_all_under_the_noise_is_said_and_not_divided_by(hpo_bench, tmp_path, monkeypatch):
    monkeypatch.setattr("landscapes.landscape.Landscape.regret_noise", 10.0)
    code, out, _ = hpo_bench(*QUICK)
    assert code == 0
    assert "under the noise of a comparison of two settings on 2 of 2 at t\u00a0=\u00a010, 2 of 2 at the end" in out
    content = json.loads((tmp_path / "results" / "summary.json").read_text())
    random = content["optimizers"]["random"]["at"]["end"]
    assert random["median_ror"]["value"] is None
    assert random["median_ror_all"]["value"] > 0
    assert random["mean_regret"]["value"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "gpbo"], "no optimiser is called 'gpbo'; did you mean 'gp-bo'?"),
        (["-o", "nowhere:Class"], "there is no optimiser at 'nowhere:Class'"),
        (["-o", "json:JSONDecoder"], "json:JSONDecoder is no subclass"),
        (["-l", "smooth-a/tta"], "did you mean smooth-a/ta"),
        (["--surrogate", "thinplate"], "thin_plate_spline"),
        (["--seeds", "0"], "0 is not in the range"),
        (["--budget", "many"], "'many' is not a whole number from 1 to 1000"),
        (["-o", "json:JSONDecodr"], "no attribute 'JSONDecodr'; did you mean 'JSONDecoder'?"),
        (["--jobs", "-1"], "-1 is not in the range"),
    ],
)
def test_bad_requests_are_one_line_and_write_nothing(hpo_bench, tmp_path, arguments, message):
    code, out, err = hpo_bench(*arguments)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()[-1]) < 400
    assert "Traceback" not in out + err
    assert not (tmp_path / "results").exists()


def test_a_broken_grid_is_refused_before_anything_is_written(hpo_bench, root, tmp_path):
    (root / "smooth-b/dare/grid.parquet").write_bytes(b"no parquet")
    code, _, err = hpo_bench(*QUICK)
    assert code == 2
    assert "smooth-b/dare/grid.parquet" in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "results").exists()


def test_a_flat_landscape_is_named(hpo_bench, root, tmp_path):
    synthetic.record(root, "flat-c/ta", kind="flat")
    code, _, err = hpo_bench(*QUICK)
    assert code == 2
    assert "flat" in err
    assert not (tmp_path / "results").exists()


def test_a_folder_without_landscapes(hpo_bench, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = hpo_bench(*QUICK, grids=tmp_path / "empty")
    assert code == 2
    assert "no landscape is recorded under" in err


def test_results_of_another_version_are_left_alone(hpo_bench, tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    (results / "format.json").write_text('{"format": 0}')
    (results / "runs.parquet").write_bytes(b"precious")
    code, _, err = hpo_bench(*QUICK)
    assert code == 2
    assert "another version (format 0" in err
    assert (results / "runs.parquet").read_bytes() == b"precious"
    assert sorted(path.name for path in results.iterdir()) == ["format.json", "runs.parquet"]


def test_results_that_cannot_be_written(hpo_bench, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = hpo_bench(*QUICK, "--results", tmp_path / "file" / "results")
    assert code == 2
    assert "cannot be made" in err


def test_a_corrupt_store_is_named_and_kept(hpo_bench, tmp_path):
    hpo_bench(*QUICK)
    part = next((tmp_path / "results" / "store").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    code, _, err = hpo_bench(*QUICK)
    assert code == 2
    assert f"{part.name} is corrupt; delete it" in err
    part.unlink()
    # One group an optimiser and dimension, so two runs were lost.
    assert "2 runs made and 6 already stored" in hpo_bench(*QUICK)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "bob"], "no suite is called 'bob'; did you mean 'bbob'? there are: mini, study, bbob, merge-like"),
        (["--suite", "minni"], "no suite is called 'minni'; did you mean 'mini'? there are: mini, study, bbob"),
    ],
)
def test_what_functions_cannot_do_is_refused_before_anything_is_run(hpo_bench, tmp_path, arguments, message):
    code, _, err = hpo_bench(*QUICK, *arguments, grids=None)
    assert code == 2
    assert message in err
    assert not (tmp_path / "results").exists()


def test_the_mini_suite_is_run_by_name(hpo_bench, tmp_path):
    few = ["-o", "random", "--seeds", "1", "--budget", "4", "--no-report", "-j", "1", "--results", tmp_path / "mini"]
    code, _, err = hpo_bench("--suite", "mini", "-l", "ta*", *few, grids=None)
    assert code == 0, err
    runs = pd.read_parquet(tmp_path / "mini" / "runs.parquet")
    assert set(runs["landscape"]) == set(members("mini", ["ta*"]))
    result = hb.run_benchmark("random", suites="mini", landscapes="ta*", seeds=1, budget=4, progress=False)
    assert result.runs["score"].tolist() == runs["score"].tolist()
    code, _, err = hpo_bench("--suite", "mini", *few)
    assert code == 2
    assert "a suite lies in no folder of yours" in err


@pytest.mark.parametrize(("suites", "seeds"), [(["mini"], 5), (["mini", "study"], 10), ([], 10)])
def test_the_mini_suite_has_fewer_seeds_unless_others_are_asked_for(suites, seeds):
    pattern = mini.names()[0].split("/")[0] + "/*"
    what = {"identities": ["random"], "budget": 4, "surrogate": None, "landscapes_dir": None, "suites": suites}
    assert pipeline.plan([pattern], seeds=None, **what).seeds == seeds
    assert pipeline.plan([pattern], seeds=7, **what).seeds == 7


def test_help_shows_examples_line_by_line(hpo_bench):
    code, out, _ = hpo_bench("--help")
    assert code == 0
    assert "\n    hpo-bench run -l ties -o gp-bo -o random" in out


def test_what_was_damaged_since_is_made_again(hpo_bench, tmp_path):
    hpo_bench(*QUICK)
    table = tmp_path / "results" / "runs.parquet"
    whole = table.read_bytes()
    table.write_bytes(b"x")
    code, out, _ = hpo_bench(*QUICK)
    assert code == 0
    assert "0 runs made and 8 already stored" in out
    assert table.read_bytes() == whole


def test_outcomes_that_cannot_be_read_cost_no_run(hpo_bench, root, tmp_path):
    path = root / "smooth-b" / "dare" / "outcomes.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    code, _, err = hpo_bench(*QUICK)
    assert code == 2
    assert str(path) in err
    assert not (tmp_path / "results").exists()


def test_other_outcomes_are_counted_anew(hpo_bench, root, tmp_path):
    hpo_bench(*QUICK)
    summary = tmp_path / "results" / "summary.json"
    before = json.loads(summary.read_text())["landscapes"]
    path = root / "smooth-a" / "ta" / "outcomes.parquet"
    rows = pd.read_parquet(path)
    rows["correct"] = rows["correct"].sample(frac=1, random_state=0).to_numpy()
    rows.to_parquet(path)
    hpo_bench(*QUICK)
    after = json.loads(summary.read_text())["landscapes"]
    changed = [one["name"] for one, other in zip(before, after, strict=True) if one != other]
    assert changed == ["smooth-a/ta"]


def test_a_grid_without_its_card_is_not_passed_over(hpo_bench, root):
    (root / "smooth-a" / "ta" / "card.yaml").unlink()
    code, _, err = hpo_bench(*QUICK)
    assert code == 2
    assert "card.yaml" in err


def test_a_folder_that_is_not_there_is_named(hpo_bench, tmp_path):
    code, _, err = hpo_bench(*QUICK, grids=tmp_path / "nowhere")
    assert code == 2
    assert "nowhere is not a folder" in err
