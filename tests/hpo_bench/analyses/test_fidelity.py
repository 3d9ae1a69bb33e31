"""What is said of how far landscapes can be trusted. Numbers are SYNTHETIC."""

from pathlib import Path

import synthetic

from hpo_bench.analyses import fidelity
from landscapes.card import CardParameter
from landscapes.landscape import Landscape


def test_a_method_without_inner_settings_has_no_error_beside_the_studys(tmp_path: Path) -> None:
    axes = CardParameter("vl_weight", 0.0, 1.0, (0.0, 1.0)), CardParameter("exp_weight", 0.0, 1.0, (0.0, 0.5, 1.0))
    found = [
        fidelity.report(Landscape.read(synthetic.record(tmp_path, name, **changes)))
        for name, changes in (("edges/ta", {"parameters": axes}), ("smooth-a/dare", {}))
    ]
    assert fidelity.beside_the_study(found[:1]) == ""
    assert "TA" not in fidelity.beside_the_study(found).partition(": ")[2]
    assert "DARE" in fidelity.beside_the_study(found)
    errors = [(one.method, one.fidelity.study_loocv) for one in found]
    assert fidelity.loocv_by_method(errors).rows[0].cells[0] == "–"
