import hashlib
import importlib
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import synthetic

from hpo_bench.benchmark import store
from hpo_bench.benchmark.plan import Run
from hpo_bench.benchmark.runs import assemble, read_runs
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.cli.run import command as run_command
from hpo_bench.errors import ResultsError
from hpo_bench.files import write
from landscapes import catalogue


def part(key, scores):
    n = len(scores)
    return pa.table(
        {
            "key": pa.array([key] * n).dictionary_encode(),
            "t": pa.array(range(1, n + 1), pa.int32()),
            "vl_weight": np.linspace(0.2, 1, n),
            "exp_weight": np.full(n, 0.5),
            "score": pa.array(scores, pa.float64(), from_pandas=True),
            "restart": pa.array([0] * n, pa.int16()),
            "restart_reason": pa.array([None] * n, pa.string()),
            "ask_seconds": np.full(n, 1e-3),
        }
    )


def run(key, *, landscape="smooth-a/ta", seed=0, budget=3):
    return Run("random", landscape, 2, seed, budget, key, generator_seed=seed)


@pytest.fixture
def folder(tmp_path):
    made = ResultsFolder(tmp_path / "results")
    made.open()
    return made


def test_stored_runs_come_back_and_only_those_asked_for(folder):
    folder.add(pa.concat_tables([part("aa", [0.1, 0.2, 0.3]), part("bb", [0.4, 0.5, 0.6])]))
    folder.add(part("cc", [0.7, 0.8, 0.9]))
    assert folder.keys() == {"aa", "bb", "cc"}
    loaded = folder.load([run("bb"), run("cc")])
    assert sorted(loaded["score"].to_pylist()) == [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def test_a_run_that_two_processes_stored_comes_once(folder):
    folder.add(pa.concat_tables([part("bb", [1.0]), part("cc", [2.0])]))
    folder.add(pa.concat_tables([part("aa", [0.0]), part("bb", [1.0])]))
    loaded = folder.load([run(key, budget=1) for key in ("aa", "bb", "cc")])
    assert sorted(loaded["score"].to_pylist()) == [0.0, 1.0, 2.0]


def test_groups_of_two_processes_that_overlap_are_both_kept(folder):
    folder.add(pa.concat_tables([part("aa", [0.0]), part("bb", [1.0])]))
    folder.add(pa.concat_tables([part("aa", [0.0]), part("cc", [2.0])]))
    assert folder.keys() == {"aa", "bb", "cc"}
    assert sorted(folder.load([run(key, budget=1) for key in ("aa", "bb", "cc")])["score"].to_pylist()) == [
        0.0,
        1.0,
        2.0,
    ]


def test_the_same_group_stored_twice_is_one_part(folder):
    for _ in range(2):
        folder.add(pa.concat_tables([part("bb", [1.0]), part("aa", [0.0])]))
    assert len(list(folder.store.iterdir())) == 1


def test_runs_that_are_not_stored_are_named(folder):
    folder.add(part("aa", [0.1]))
    missing = [run("bb", landscape="smooth-b/dare", seed=7), run("cc")]
    with pytest.raises(ResultsError, match=r"2 of 3 runs are missing from .*store, such as random on smooth-b/dare"):
        folder.load([run("aa", budget=1), *missing])
    with pytest.raises(ResultsError, match="1 of 1 runs are missing"):
        folder.load([run("cc")])


def test_a_write_that_fails_leaves_the_old_file_and_no_rubbish(folder):
    path = folder.path / "summary.json"
    write(path, lambda at: at.write_text("old"))

    def fail(at):
        at.write_text("half of the n")
        raise OSError(28, "No space left on device")

    with pytest.raises(ResultsError, match=r"summary\.json: No space left on device; stored runs are kept"):
        write(path, fail)
    assert path.read_text() == "old"
    assert {entry.name for entry in folder.path.iterdir()} == {"format.json", "summary.json"}


def test_leftovers_of_a_killed_process_are_cleared_once_they_are_old(folder):
    folder.add(part("aa", [0.1]))
    old, young = (folder.store / f"{store.PREFIX}{name}.parquet" for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * store.STALE_SECONDS,) * 2)
    folder.open()
    assert not old.exists()
    assert young.exists()
    assert folder.keys() == {"aa"}


def test_a_corrupt_part_is_named(folder):
    folder.add(part("aa", [0.1]))
    (stored,) = folder.store.iterdir()
    stored.write_bytes(b"PAR1 rubbish")
    with pytest.raises(ResultsError, match=rf"{stored.name} is corrupt; delete it"):
        folder.keys()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda table: table.drop_columns(["key"]), "it has no columns 'key'"),
        (lambda table: table.drop_columns(["ask_seconds"]), "it has no columns 'ask_seconds'"),
        (lambda table: table.append_column("score", table["score"]), "it has 2 columns 'score'"),
        (lambda table: table.set_column(1, "t", pa.array(["1", "2", "3"])), "column 't' holds string"),
        (lambda table: table.slice(0, 2), "a run lacks evaluations, or has one twice"),
        (lambda table: pa.concat_tables([table, table.slice(1, 1)]), "a run lacks evaluations, or has one twice"),
        (lambda table: table.set_column(1, "t", pa.array([1, None, 3])), "a run lacks evaluations, or has one twice"),
        (lambda table: table.set_column(4, "score", pa.array([0.1, np.inf, 0.3])), "a score is infinite"),
    ],
)
def test_a_part_that_holds_something_else_is_named(folder, change, why):
    folder.add(part("aa", [0.1, 0.2, 0.3]))
    (stored,) = folder.store.iterdir()
    pq.write_table(change(pq.read_table(stored)), stored)
    with pytest.raises(ResultsError, match=rf"{stored.name} is corrupt \({why}\); delete it, and its runs"):
        folder.load([run("aa")])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda frame: frame.drop(columns="landscape"), "it has no columns 'landscape'"),
        (lambda frame: frame.assign(regret="none"), "column 'regret' holds"),
        (lambda frame: frame.assign(regret=np.inf), "a score is infinite"),
        (lambda frame: frame.iloc[1:], "a run lacks evaluations"),
        (lambda frame: frame.drop(columns="vl_weight"), "it has no numbers 'vl_weight'"),
        (lambda frame: frame.assign(vl_weight=[0.5, np.nan]), "it has no numbers 'vl_weight'"),
    ],
)
def test_runs_that_hold_something_else_are_refused_with_the_command_that_makes_them(tmp_path, change, why):
    (only,) = catalogue.load_all(["ja-llama/ta"])
    frame = pd.DataFrame({"landscape": only.name, "optimizer": "random", "seed": 0, "t": [1, 2], "score": 0.5})
    frame = frame.assign(regret=0.1, vl_weight=0.5, exp_weight=0.5)
    path = tmp_path / "runs.parquet"
    frame.to_parquet(path)
    assert len(read_runs(path, [only])) == 2
    change(frame).to_parquet(path)
    with pytest.raises(
        ResultsError, match=rf"runs.parquet is damaged \(.*{why}.*\); make it with `hpo-bench run --results"
    ):
        read_runs(path, [only])


def test_runs_on_what_has_been_recorded_anew_are_not_taken_for_runs_on_what_is_there(tmp_path):
    (only,) = catalogue.load_all(["ja-llama/ta"])
    frame = pd.DataFrame({"landscape": only.name, "optimizer": "random", "seed": 0, "t": [1, 2], "score": 0.5})
    path = tmp_path / "runs.parquet"
    frame.assign(regret=0.1, vl_weight=0.5, exp_weight=0.5).to_parquet(path)

    def made_on(content_hash, goal="score"):
        summary = {"goal": goal, "landscapes": [{"name": only.name, "content_hash": content_hash}]}
        (tmp_path / "summary.json").write_text(json.dumps(summary))

    made_on(only.content_hash)
    assert len(read_runs(path, [only])) == 2
    made_on("another")
    with pytest.raises(ResultsError, match=r"runs on another recording of ja-llama/ta than lies there now.*; make it"):
        read_runs(path, [only])
    made_on("of replayed answers", goal="test")
    assert len(read_runs(path, [only])) == 2
    (tmp_path / "summary.json").write_text("[1]")
    assert len(read_runs(path, [only])) == 2


def test_a_changed_bit_among_the_scores_is_noticed(folder):
    folder.add(part("aa", [0.123, 0.456, 0.789]))
    (stored,) = folder.store.iterdir()
    whole = stored.read_bytes()
    score = pq.ParquetFile(stored).metadata.row_group(0).column(4)
    assert score.path_in_schema == "score"
    # The last byte of the column's last page, which lies right before the next column.
    place = score.dictionary_page_offset + score.total_compressed_size - 1
    stored.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(ResultsError, match="is corrupt"):
        folder.load([run("aa")])


def test_another_version_is_refused_and_nothing_touched(tmp_path):
    (tmp_path / "format.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(ResultsError, match=r"written by another version \(format 99, this one has 1\)"):
        ResultsFolder(tmp_path).open()
    assert [entry.name for entry in tmp_path.iterdir()] == ["format.json"]


@pytest.mark.parametrize("content", ["", "[]", "{}", "not json"])
def test_an_unreadable_marker_is_refused(tmp_path, content):
    (tmp_path / "format.json").write_text(content)
    with pytest.raises(ResultsError, match="cannot be read"):
        ResultsFolder(tmp_path).check()


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ResultsError, match="not a results folder"):
        ResultsFolder(tmp_path).open()
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_below_a_file_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="is not a folder that you may write to"):
        ResultsFolder(tmp_path / "file" / "results").check()
    with pytest.raises(ResultsError, match="is a file"):
        ResultsFolder(tmp_path / "file").check()


def test_the_long_table(tmp_path, folder):
    flat, deep = (synthetic.landscape(tmp_path, name) for name in ("smooth-a/ta", "smooth-b/dare"))
    high, low = flat.optimum.score, flat.minimum.score
    middle = low + 0.5 * (high - low)
    folder.add(part("aa", [float("nan"), middle, low]))
    third = part("bb", [0.5, 0.4, 0.6]).add_column(4, "density", pa.array([0.2, 0.4, 0.8]))
    folder.add(third)
    runs = [run("bb", landscape="smooth-b/dare"), run("aa")]
    table = assemble(folder.load(runs), runs=runs, landscapes=[flat, deep])
    assert table["landscape"].tolist() == ["smooth-a/ta"] * 3 + ["smooth-b/dare"] * 3
    assert table["t"].tolist() == [1, 2, 3] * 2
    assert table["regret"].tolist()[:3] == pytest.approx([1.0, 0.5, 0.5])
    assert table["best_so_far"].tolist()[3:] == [0.5, 0.5, 0.6]
    assert table["density"].isna().tolist() == [True] * 3 + [False] * 3
    assert {"pair", "domain", "task", "method", "optimizer", "seed", "restart", "ask_seconds"} <= set(table.columns)


@pytest.mark.parametrize("command", ["cost", "methods", "peers", "ranking", "scale"])
def test_what_other_commands_made_first_does_not_keep_the_benchmark_out(tmp_path, monkeypatch, command):
    """Each of them writes into a folder of `results` by default, and may be given before `run`."""
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"hpo_bench.cli.experiments.{command}").command
    made = getattr(module, "commands", {"": module}).get("grid", module)
    (default,) = (
        one.default for one in made.params if one.name in {"out", "results"} and isinstance(one.default, Path)
    )
    write(default / "page.md", lambda at: at.write_text("what it made"))
    (own,) = (one.default for one in run_command.params if one.name == "results")
    results_folder = ResultsFolder(own)
    results_folder.open()
    results_folder.check()
    assert (default / "page.md").read_text() == "what it made"
    (own / "format.json").unlink()
    (own / "thesis.tex").write_text("precious")
    with pytest.raises(ResultsError, match=r"holds thesis\.tex and no format\.json"):
        results_folder.open()


def test_a_file_of_a_neighbour_may_vanish_at_any_moment(folder, monkeypatch):
    (passing := folder.path / f"{store.PREFIX}of-another.json").write_text("half")
    now = time.time

    def later():
        passing.unlink(missing_ok=True)  # Renamed by whoever wrote it, between being listed and being looked at.
        return now()

    monkeypatch.setattr(store.time, "time", later)
    folder.open()
    assert not passing.exists()


def test_files_in_folders_of_other_commands_are_not_ours_to_clear(folder):
    theirs = folder.path / "ranking" / "races" / f"{store.PREFIX}old.json"
    write(theirs.with_name("race.json"), lambda at: at.write_text("{}"))
    theirs.write_text("half")
    os.utime(theirs, (time.time() - 2 * store.STALE_SECONDS,) * 2)
    folder.open()
    assert theirs.exists()


def test_a_write_tells_what_was_written_whatever_a_neighbour_puts_in_its_place(folder, monkeypatch):
    replace = store.Path.replace

    def overtaken(self, target):
        replace(self, target)
        store.Path(target).unlink()

    monkeypatch.setattr(store.Path, "replace", overtaken)
    digest = write(folder.path / "summary.json", lambda at: at.write_text("mine"))
    assert digest == hashlib.sha256(b"mine").hexdigest()
