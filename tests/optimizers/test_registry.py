import subprocess
import sys
import warnings
from importlib.metadata import EntryPoint

import pytest

from optimizers import InvalidSettingError, OptimizerError, UnknownOptimizerError, available, get, plugins
from optimizers.random_search import RandomSearch
from optimizers.registry import REGISTRY


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


def offer(monkeypatch, cls, name: str) -> None:
    entry = EntryPoint(name, f"{__name__}:{cls.__name__}", REGISTRY.group)
    monkeypatch.setattr(EntryPoint, "load", lambda self: cls)
    monkeypatch.setattr(plugins, "entry_points", lambda group: (entry,) if group == "hpo_bench.optimizers" else ())


def test_an_installed_package_adds_its_own_at_the_end(monkeypatch) -> None:
    offer(monkeypatch, Guest, "guest")
    assert list(available())[-2:] == ["grid", "guest"]
    assert get("guest") is Guest


def test_no_package_can_take_the_name_of_another(monkeypatch) -> None:
    offer(monkeypatch, Impostor, "random")
    with pytest.warns(UserWarning, match=r"offered as 'random' .* has a name that is taken; it is left out"):
        assert available()["random"] is RandomSearch


def test_a_package_offers_a_class_under_its_own_name(monkeypatch) -> None:
    offer(monkeypatch, Guest, "another")
    with pytest.raises(UnknownOptimizerError, match="calls itself 'guest'; it must be offered under its own name"):
        get("another")


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Puts packages where Python finds them, with what stands in their only module."""

    def install(name: str, source: str, *, entry: str, version: str = "1.0") -> None:
        (tmp_path / f"{name}.py").write_text(source)
        about = tmp_path / f"{name}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (about / "entry_points.txt").write_text(f"[{REGISTRY.group}]\n{entry}\n")

    monkeypatch.syspath_prepend(tmp_path)
    yield install
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


SOUND = """
from optimizers import plugins
from optimizers.random_search import RandomSearch
from optimizers.registry import REGISTRY
class Lucky(RandomSearch):
    name, label = "lucky", "Lucky"
"""


def test_a_broken_package_costs_nobody_the_others(installed) -> None:
    installed("broken_plugin", "import nowhere_to_be_found", entry="broken = broken_plugin:Broken", version="2.1")
    installed("sound_plugin", SOUND, entry="lucky = sound_plugin:Lucky")
    with pytest.warns(UserWarning, match=r"installed package broken_plugin 2\.1, cannot be imported: ModuleNotFound"):
        found = available()
    assert list(found)[-2:] == ["grid", "lucky"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert get("lucky") is found["lucky"]


def test_what_a_broken_package_offers_is_one_clear_error(installed) -> None:
    installed("broken_plugin", "raise RuntimeError('no GPU')", entry="broken = broken_plugin:Broken")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UnknownOptimizerError, match=r"package broken_plugin 1\.0, .* RuntimeError: no GPU; mend"):
            get("broken")


@pytest.mark.parametrize(("what", "fault"), [("json:JSONDecoder", "is no subclass"), ("json:nothing", "no attribute")])
def test_what_is_no_optimizer_in_a_package_is_left_out(installed, what: str, fault: str) -> None:
    installed("odd_plugin", "", entry=f"odd = {what}")
    with pytest.warns(UserWarning, match=rf"odd_plugin 1\.0, .*{fault}"):
        assert "odd" not in available()
    with pytest.raises(OptimizerError, match=rf"odd_plugin 1\.0, .*{fault}"):
        get("odd")


def test_a_misspelt_address_is_suggested(tmp_path, monkeypatch) -> None:
    (tmp_path / "my_search.py").write_text(SOUND.replace("Lucky(", "MySearch("))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for address, nearest in (("my_serch:MySearch", "my_search"), ("my_search:MySerch", "MySearch")):
        with pytest.raises(UnknownOptimizerError, match=f"did you mean '{nearest}'"):
            get(address)
    assert get("my_search:MySearch").name == "lucky"
    for address in (":", "my_search:", ".x:Y"):
        with pytest.raises(UnknownOptimizerError, match="a module, a colon and a name"):
            get(address)


def test_the_package_of_a_class(installed) -> None:
    installed("sound_plugin", SOUND, entry="lucky = sound_plugin:Lucky", version="3.2")
    assert REGISTRY.package_of(get("lucky")) == "sound_plugin 3.2"
    assert REGISTRY.package_of(RandomSearch) is None


def test_random_search_does_not_wait_for_pytorch() -> None:
    code = "import sys, optimizers; optimizers.get('random'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_a_package_raises_may_have_no_words(installed) -> None:
    wordless = "class Wordless(Exception):\n    def __str__(self): raise ValueError\nraise Wordless"
    installed("wordless_plugin", wordless, entry="wordless = wordless_plugin:Wordless")
    with pytest.warns(UserWarning, match=r"cannot be imported: Wordless; mend that package"):
        available()


def test_a_module_whose_own_import_fails_is_not_said_to_be_missing(tmp_path, monkeypatch) -> None:
    (tmp_path / "imports_nothing.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        UnknownOptimizerError, match="cannot be imported: ModuleNotFoundError: No module named 'nowhere_"
    ):
        get("imports_nothing:Mine")
