import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

import optimizers.registry as registry
from optimizers import InvalidSettingError, UnknownOptimizerError, available, get
from optimizers.random_search import RandomSearch


class Guest(RandomSearch):
    name = "guest"
    label = "Guest"


class Impostor(RandomSearch):
    label = "Impostor"


def test_display_order_and_own_names() -> None:
    found = available()
    assert list(found) == ["gp-bo", "cma-es", "pattern-search", "powell", "sobol", "random", "grid"]
    assert all(optimizer.name == name for name, optimizer in found.items())
    labels = [optimizer.label for optimizer in found.values()]
    assert labels == ["GP-BO", "CMA-ES", "Pattern Search", "Powell", "Sobol", "Random", "Grid"]


@pytest.mark.parametrize(("typed", "near"), [("gpbo", "gp-bo"), ("Powel", "powell"), ("pattern_search", "pattern-")])
def test_a_misspelt_name_is_answered_with_the_nearest(typed: str, near: str) -> None:
    with pytest.raises(UnknownOptimizerError, match=f"did you mean '{near}") as caught:
        get(typed)
    assert "cma-es, pattern-search, powell" in str(caught.value)


def test_a_class_by_its_address() -> None:
    assert get("optimizers.random_search:RandomSearch") is RandomSearch


@pytest.mark.parametrize("address", ["no.such.module:Thing", "optimizers.grid:Thing", ":Thing", "optimizers.grid:"])
def test_nothing_at_an_address(address: str) -> None:
    with pytest.raises(UnknownOptimizerError, match="no optimiser at"):
        get(address)


@pytest.mark.parametrize("address", ["optimizers.base:Restart", "optimizers.base:Optimizer"])
def test_what_is_no_optimizer_at_an_address(address: str) -> None:
    with pytest.raises(InvalidSettingError, match=address):
        get(address)


def offer(monkeypatch, cls) -> None:
    entry = EntryPoint("anything", f"{__name__}:{cls.__name__}", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: cls)
    monkeypatch.setattr(registry, "entry_points", lambda group: (entry,) if group == "hpo_bench.optimizers" else ())


def test_an_installed_package_adds_its_own_at_the_end(monkeypatch) -> None:
    offer(monkeypatch, Guest)
    assert list(available())[-2:] == ["grid", "guest"]
    assert get("guest") is Guest


def test_no_package_can_take_the_name_of_another(monkeypatch) -> None:
    offer(monkeypatch, Impostor)
    with pytest.raises(InvalidSettingError, match="'random', but that name is taken"):
        available()


def test_random_search_does_not_wait_for_pytorch() -> None:
    code = "import sys, optimizers; optimizers.get('random'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
