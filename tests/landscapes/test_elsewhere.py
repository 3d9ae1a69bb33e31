"""Checkouts of published sweeps become landscapes, and what is wrong with them is said. Numbers are SYNTHETIC."""

from pathlib import Path

import checkouts
import numpy as np
import pytest

from landscapes import catalogue, maxima
from landscapes.errors import InvalidGridError, UnwritableError
from landscapes.importing.elsewhere import PUBLICATIONS, Imported, import_publication


def made(name: str, path: Path, root: Path, **options: bool) -> Imported:
    return import_publication(PUBLICATIONS[name], path, root=root, command="import", **options)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    root = tmp_path_factory.mktemp("code")
    return made("code-merges", checkouts.code_merges(root / "repo"), root / "own")


class TestNatureLM:
    def test_each_task_and_query_is_a_landscape_of_one_weight_with_outcomes(self, tmp_path: Path) -> None:
        found = made("naturelm", checkouts.naturelm(tmp_path / "repo"), tmp_path / "own")
        assert catalogue.names(tmp_path / "own") == [
            "naturelm-audio/cbi-both",
            "naturelm-audio/cbi-common",
            "naturelm-audio/cbi-scientific",
            "naturelm-audio/closed_set_classification_2",
        ]
        assert len(found.landscapes) == 4
        for landscape in found.landscapes:
            assert landscape.space.names == ("audio_weight",)
            assert landscape.optimum.x == pytest.approx([0.5], abs=0.15)
            assert landscape.outcomes is not None
            assert landscape.noise > 0
            card = landscape.card
            assert (card.tier, card.licence, card.base) == ("elsewhere", "MIT", "meta-llama/Meta-Llama-3.1-8B-Instruct")
            assert f"commit {checkouts.HEAD}" in card.citation
            assert "arXiv:2511.05171" in card.citation
            assert sum(card.n_examples[split]["all"] for split in ("validation", "test")) == 40
            assert landscape.on("test").grid.scores.shape == (5,)
            assert maxima.find(landscape) is not None
            # The audio model is at weight 1, which is what a merge is to be better than.
            assert landscape.vlm == pytest.approx(landscape.grid.scores[-1])
            assert landscape.on("test").vlm == pytest.approx(landscape.on("test").grid.scores[-1])

    def test_an_answer_is_right_if_it_has_the_name_that_was_asked_for(self, tmp_path: Path) -> None:
        """Scientific names are right answers to the second query, and half of one to the third."""

        def answer(_: int, label: str, weight: float) -> str:
            return f"{checkouts.BIRDS[label]}" if weight < 0.4 else f"{label}, {checkouts.BIRDS[label].lower()}"

        found = made("naturelm", checkouts.naturelm(tmp_path / "repo", answer=answer), tmp_path / "own")
        scores = {one.name.rpartition("-")[2]: one.grid.scores.tolist() for one in found.landscapes}
        assert scores["both"] == scores["common"] == [0, 0, 1, 1, 1]
        assert "naturelm-audio/cbi-scientific: all scores are equal" in found.defects[-1]

    def test_what_is_wrong_is_said(self, tmp_path: Path) -> None:
        found = made("naturelm", checkouts.naturelm(tmp_path / "repo"), tmp_path / "own")
        other, options, alone = found.defects
        assert f"the checkout is at commit {checkouts.HEAD}, and its reader was checked at 202db6b3" in other
        assert "closed_set_classification_2: 40 of 40 examples were asked otherwise at different weights" in options
        assert "zf-indiv: query 0 recorded at one weight alone, which is no sweep; left out" in alone
        asked_otherwise = {one.name.rpartition("/")[2] for one in found.landscapes if not one.card.asked_alike}
        assert asked_otherwise == {"closed_set_classification_2"}

    def test_examples_that_lack_a_weight_or_stand_twice_are_left_out_and_counted(self, tmp_path: Path) -> None:
        repo = checkouts.naturelm(tmp_path / "repo")
        file = repo / "results/cbi/beans_zero_eval_cbi_query0_lora050.jsonl"
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join([*lines[1:], lines[5]]))
        found = made("naturelm", repo, tmp_path / "own")
        assert "naturelm-audio/cbi-common: 1 examples were not answered at every weight; left out" in found.defects
        assert any("1 answers stand in a file a second time" in one for one in found.defects)
        assert sum(counts["all"] for counts in found.landscapes[0].card.n_examples.values()) == 39

    def test_bad_files_are_named_with_their_row(self, tmp_path: Path) -> None:
        repo = checkouts.naturelm(tmp_path / "repo")
        file = repo / "results/cbi/beans_zero_eval_cbi_query1_lora050.jsonl"
        whole = file.read_text()
        for line, message in (
            ('{"id": "x"}\n', r"lora050\.jsonl, row 41: 'label' is missing or no text"),
            ("{\n", r"lora050\.jsonl, line 41"),
            (whole.splitlines()[0].replace("Common Loon", "Moose"), r"row 41: nobody says what 'Moose' is called"),
        ):
            file.write_text(whole + line.replace('"e0"', '"e99"'))
            with pytest.raises(InvalidGridError, match=message):
                made("naturelm", repo, tmp_path / "own")
        assert not (tmp_path / "own").exists()

    @pytest.mark.parametrize(
        ("lost", "message"),
        [
            ("results/c*/*", r"nothing in it makes a landscape \(.*query 0 recorded at one weight alone"),
            ("cbi_vernacular_*", r"several of its sweeps would be called naturelm-audio/cbi, .* fetch the whole"),
        ],
    )
    def test_a_checkout_that_lacks_files_makes_nothing(self, tmp_path: Path, lost: str, message: str) -> None:
        repo = checkouts.naturelm(tmp_path / "repo")
        for file in repo.glob(lost):
            file.unlink()
        with pytest.raises(InvalidGridError, match=message):
            made("naturelm", repo, tmp_path / "own")
        assert not (tmp_path / "own").exists()

    def test_a_flat_sweep_alone_is_no_landscape(self, tmp_path: Path) -> None:
        repo = checkouts.naturelm(tmp_path / "repo", answer=lambda *_: "It is a Moose.")
        with pytest.raises(InvalidGridError, match=r"nothing in it makes a landscape \(.*cbi-common: all scores"):
            made("naturelm", repo, tmp_path / "own")

    def test_nothing_is_written_where_a_later_sweep_will_not_do(self, tmp_path: Path) -> None:
        repo = checkouts.naturelm(tmp_path / "repo")
        for percent in (0, 25, 50):
            (repo / f"results/cbi/beans_zero_eval_cbi_query2_lora{percent:03d}.jsonl").unlink()
        with pytest.raises(InvalidGridError, match=r"cbi has 2 settings with split 'validation', .* at least 3"):
            made("naturelm", repo, tmp_path / "own")
        assert not (tmp_path / "own").exists()

    def test_files_without_a_common_example_are_named(self, tmp_path: Path) -> None:
        repo = checkouts.naturelm(tmp_path / "repo")
        (repo / "results/cbi/beans_zero_eval_cbi_query0_lora050.jsonl").write_text("")
        with pytest.raises(InvalidGridError, match=r"results/cbi: no example to tune on .* every weight of query 0"):
            made("naturelm", repo, tmp_path / "own")

    def test_a_task_whose_name_will_not_do_is_named(self, tmp_path: Path) -> None:
        repo = checkouts.naturelm(tmp_path / "repo")
        (repo / "results/cbi").rename(repo / "results/c b i")
        with pytest.raises(InvalidGridError, match=r"results/c b i: name must be letters"):
            made("naturelm", repo, tmp_path / "own")

    def test_another_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidGridError, match=r"has no results/TASK.* takes the folder of a checkout of https://"):
            made("naturelm", tmp_path, tmp_path / "own")


class TestCodeMerges:
    def test_grids_and_lines_of_three_objectives(self, found: Imported) -> None:
        assert [one.name for one in found.landscapes] == [
            f"{sweep}-{objective}"
            for sweep in ("deepseek-coder-1.3b/dare-2d", "deepseek-coder-1.3b/dare-1d", "qwen2.5-coder-7b/della-1d")
            for objective in ("generation", "summary", "both")
        ]
        grid, line = found.landscapes[0], found.landscapes[3]
        assert (grid.space.names, line.space.names) == (("weight", "density"), ("generation_weight",))
        assert (len(grid.grid), len(line.grid)) == (9, 5)  # without first rows, and a density that stopped early
        solved = line.grid.scores
        assert line.grid.standard_errors == pytest.approx(np.sqrt(solved * (1 - solved) / 542))
        assert np.isnan(found.landscapes[1].noise)
        assert found.landscapes[1].optimum.x[0] == pytest.approx(0.3, abs=0.05)
        assert "commit not known" in grid.card.citation

    def test_its_defects_are_found(self, found: Imported) -> None:
        empty, twice, first, stopped, summaries, density = found.defects
        assert empty.endswith("ties_m_h.csv: has no scores; left out")
        assert "m_della_qwc7_m_h.csv: is della_experiment_results_m_della_qwc7_m_h.csv again; left out" in twice
        assert first.startswith("the first row of 3 of 3 files has the scores of another setting")
        assert "dare-2d: density 0.4 was recorded at a part of the weights" in stopped
        assert "dare-2d: 1 of 11 settings without scores of summaries; left out" in summaries
        assert "density hardly matters" in density

    def test_a_first_row_stays_where_none_is_another_s_and_what_is_there_is_kept(self, tmp_path: Path) -> None:
        repo = checkouts.code_merges(tmp_path / "repo")
        for file in (repo / "mergekit/csv_output").glob("*.csv"):
            lines = file.read_text().splitlines()
            if "dare_dsc13_m_h" in file.name:
                file.write_text("\n".join([lines[0], *lines[2:]]))
            else:
                file.unlink()
        for replace in (False, True):
            found = made("code-merges", repo, tmp_path / "own", replace=replace)
            assert [len(one.grid) for one in found.landscapes] == [5, 5, 5]
            assert found.defects == ()
            with pytest.raises(UnwritableError, match=r"dare-1d-generation exists; replace it, .* with --replace"):
                made("code-merges", repo, tmp_path / "own")

    def test_bad_cells_are_named(self, tmp_path: Path) -> None:
        repo = checkouts.code_merges(tmp_path / "repo")
        file = repo / "mergekit/csv_output/dare_experiment_results_m_dare_dsc13_m_h.csv"
        whole = file.read_text().splitlines()
        cells = whole[3].split(",")
        for place, cell, message in (
            (8, "high", r"row 3, column 'humaneval_plus': 'high' is not a finite number"),
            (6, "0.3", r"row 3: the models' weights are not tied"),
        ):
            file.write_text("\n".join([*whole[:3], ",".join([*cells[:place], cell, *cells[place + 1 :]]), *whole[4:]]))
            with pytest.raises(InvalidGridError, match=message):
                made("code-merges", repo, tmp_path / "own")

    def test_what_too_little_was_recorded_of_is_left_out(self, tmp_path: Path) -> None:
        repo = checkouts.code_merges(tmp_path / "repo")
        file = repo / "mergekit/csv_output/dare_experiment_results_m_dare_dsc13_m_h.csv"
        lines = [line.split(",") for line in file.read_text().splitlines()]
        file.write_text("\n".join(",".join([*line[:11], *[""] * 12] if n else line) for n, line in enumerate(lines)))
        grid = repo / "mergekit/csv_output/dare_experiment_results_m_dare_dsc13_d0_3_0_7_m_h.csv"
        grid.write_text("\n".join(grid.read_text().splitlines()[:6]))  # one density
        found = made("code-merges", repo, tmp_path / "own")
        assert [one.name for one in found.landscapes] == [
            "deepseek-coder-1.3b/dare-1d-generation",
            *(f"qwen2.5-coder-7b/della-1d-{objective}" for objective in ("generation", "summary", "both")),
        ]
        told = "\n".join(found.defects)
        assert "dare-1d-summary: scores are left at fewer than 2 values of generation_weight, which is no sweep" in told
        assert "dare-2d-generation: scores are left at fewer than 2 values of density, which is no sweep" in told
