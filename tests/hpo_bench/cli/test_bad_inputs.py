"""Bad inputs of every command, option and kind of file: each ends in one line with exit code 2, and writes nothing.

Cases follow from the tree of commands: an option that is new is among them without a word here.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from hpo_bench import cli
from hpo_bench.cli.tree import cli as tree
from hpo_bench.cli.types import Number, NumberRange, Read, Written
from hpo_bench.merging.find import SHIPPED
from landscapes.catalogue import ROOT

PAIR = next(iter(sorted(SHIPPED.glob("*/pair.yaml")))).parent
LANDSCAPE = ROOT / "ja-llama" / "ta"
Tree = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Ending:
    code: object
    out: str
    err: str


@pytest.fixture
def here(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to stand in, and another for what a case needs; no network, and this process's own Ctrl-C."""
    stand = tmp_path / "stand"
    stand.mkdir()
    monkeypatch.chdir(stand)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("temporary")))  # what torch leaves there
    before = signal.getsignal(signal.SIGINT)
    yield tmp_path
    signal.signal(signal.SIGINT, before)


def written(folder: Path) -> Tree:
    """Every file below a folder with its size and the time of its last change."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns if not path.is_dir() else 0)
        for path in folder.rglob("*")
    }


def refused(arguments: list[str], here: Path, capfd: pytest.CaptureFixture, *, names: str = "") -> str:
    """Run a command line, which must be refused in one line that has these words in it, and write nothing."""
    before = written(here)
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    err = capfd.readouterr().err
    assert ended.value.code == 2, err
    assert err.startswith("error: "), err
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    assert "not foreseen" not in err, err
    assert err.isprintable() or err[:-1].isprintable(), err
    assert names in err, err
    assert written(here) == before
    return err


def commands(group: click.Group = tree, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield (*path, name), command
            yield from commands(command, (*path, name))
        elif command is not None:
            yield (*path, name), command


BAD: dict[type[click.ParamType], tuple[str, ...]] = {
    click.types.IntParamType: ("many", "1.5", "", "0x10", "9" * 5000),
    click.types.FloatParamType: ("much", "", "1,5", "nan", "inf", "-1e400"),
    Read: (
        *("", "1", "1,0", "0,0", "nan,1", "0,inf", "1e400,2", "0,1,2", "a,b"),
        *("scale", "=1", "scale=", "scale=nan", "scale=1e400"),
        *("nan", "0", "-1", "1.5", "=1..2", "a=1..0", "a=nan..1", "a=0..1 log", "a,a", "a;b", "a=1"),
    ),
    click.Choice: ("no-such-word", ""),
}
"""What no parameter of a type can be."""


def wrong_words() -> Iterator[tuple[str, ...]]:
    """Options that there are not, of every command; values that none of a type can be; options without their value."""
    for path, command in [((), tree), *commands()]:
        yield (*path, "--no-such-option")
        yield (*path, "--\x1b[31mred")
        if isinstance(command, click.Group):
            yield (*path, "no-such-command")
            yield (*path, "[red]")
            continue
        for one in command.params:
            if not isinstance(one, click.Option) or one.is_flag or one.is_eager:
                continue
            name = max(one.opts, key=len)
            yield (*path, name)
            yield from (
                (*path, name, value) for kind, bad in BAD.items() if isinstance(one.type, kind) for value in bad
            )
            low, high = getattr(one.type, "min", None), getattr(one.type, "max", None)
            if low is not None:
                yield (*path, name, str(low - 1))
            if high is not None:
                yield (*path, name, str(high + 1))


WORDS = sorted(set(wrong_words()))


def test_there_are_many_cases_and_every_option_is_in_them() -> None:
    assert len(WORDS) >= 300
    every = {
        (*path, max(one.opts, key=len))
        for path, command in commands()
        for one in command.params
        if isinstance(one, click.Option) and not one.is_flag
    }
    assert every <= {words[: len(path)] for words in WORDS for path in [words[: len(words)], words[:-1]]}


def test_no_option_takes_a_number_that_is_none() -> None:
    """NaN compares with nothing, so that it lifts every limit; a type that refuses it is refused among the words."""
    loose = {
        f"{' '.join(path)} {max(one.opts, key=len)}"
        for path, command in commands()
        for one in command.params
        if isinstance(one.type, click.types.FloatParamType) and not isinstance(one.type, Number | NumberRange)
    }
    assert loose == set()


@pytest.mark.parametrize(
    "words", WORDS, ids=lambda words: " ".join(word[:20] for word in words).encode("ascii", "backslashreplace").decode()
)
def test_words_that_make_no_sense_are_refused(words: tuple[str, ...], here: Path, capfd: pytest.CaptureFixture) -> None:
    told = refused(list(words), here, capfd)
    assert " ".join(("hpo-bench", *(word for word in words if not word.startswith("-")))).split()[0] in told
    assert "--help" in told


WRITTEN = [
    (path, max(one.opts, key=len), one.type.folder)
    for path, command in commands()
    for one in command.params
    if isinstance(one.type, Written)
]


@pytest.mark.parametrize(("path", "option", "folder"), WRITTEN, ids=lambda one: str(one))
def test_places_to_write_are_looked_at_before_any_work(
    path: tuple[str, ...], option: str, folder: bool, here: Path, capfd: pytest.CaptureFixture
) -> None:
    file, link = here / "a-file", here / "a-link"
    file.write_text("of mine")
    link.symlink_to("nowhere")
    for place in (file / "below", file / "far" / "below", file if folder else here, link if folder else link / "x"):
        refused([*path, option, str(place)], here, capfd, names=str(place))


PLACES = [
    (path, max(one.opts, key=len))
    for path, command in commands()
    for one in command.params
    if isinstance(one.type, click.Path) and one.param_type_name == "option"
]


@pytest.mark.parametrize(("path", "option"), PLACES, ids=lambda one: str(one))
def test_an_empty_name_is_no_place(
    path: tuple[str, ...], option: str, here: Path, capfd: pytest.CaptureFixture
) -> None:
    refused([*path, option, ""], here, capfd, names=option)


def test_every_command_that_writes_says_where_in_one_way() -> None:
    """`--landscapes-dir`, `--pairs` and `--studies` are read as well, and looked at by those who read them."""
    assert {path[-1] for path, _, _ in WRITTEN} >= {
        "ablation", "examples", "export", "extract", "grid", "merge", "methods", "onto", "peers", "ranking", "record",
        "run", "scale", "study",
    }  # fmt: skip
    for path, command in commands():
        for one in command.params:
            if one.opts[-1] in ("--out", "--to"):
                assert isinstance(one.type, Written), path


@pytest.mark.parametrize(
    "words",
    [
        ("speed", "--device", "http://me:hunter2@host/x"),
        ("tune", "http://me:hunter2@host/x"),
        ("run", "-o", "http://me:hunter2@host/x"),
        ("run", "-l", "postgresql://host/x?password=hunter2"),
        ("tune", "ja-llama", "--storage", "nothing://me:hunter2@host/x"),
        ("doctor", "--base", "http://me:hunter2@host/x", "--vlm", "x", "--expert", "x"),
        ("landscapes", "show", "http://me:hunter2@host/x"),
        ("report", "http://me:hunter2@host/x"),
        ("hunter2://me:hunter2@host",),
    ],
    ids=" ".join,
)
def test_passwords_are_not_repeated(words: tuple[str, ...], here: Path, capfd: pytest.CaptureFixture) -> None:
    assert "me:hunter2" not in refused(list(words), here, capfd).replace("password=hunter2", "me:hunter2")


@pytest.mark.parametrize("words", [("tune", "ja-llama", "--studies"), ("report",), ("cost", "grid", "--out")])
def test_names_that_are_not_utf_8_are_refused(words: tuple[str, ...], here: Path, capfd: pytest.CaptureFixture) -> None:
    refused([*words, "a\udcff"], here, capfd, names="'a\\udcff' is not UTF-8; rename what it names")


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        ("merge ja-llama -m ta --out m", "a vl_weight and an exp_weight: give --vl-weight 0.6 --exp-weight 0.6, say"),
        ("tune ja-llama --densities 0.1", "such as 0.1,1"),
        ("tune ja-llama --coefficients 2", "such as 0,1.4"),
        ("tune ja-llama --storage foo", "not shown, as it may hold a password) is no URL of a database: write sqlite"),
        ("tune ja-llama --storage foo", "or postgresql://host/db"),
        ("tune ja-llama --price x", "'x' is not a number of at least 0"),
        ("tune ja-llama --until x", "'x' is not a number above 0"),
        ("plan ja-llama --gpu-hours -1", "a budget of -1 GPU-hours buys nothing; give a finite number above 0"),
        ("run -j x", "'x' is not a whole number from 1 to 1024"),
        ("tune ja-llama --trials x", "'x' is not a whole number of at least 1"),
    ],
)
def test_the_cure_can_be_typed(words: str, cure: str, here: Path, capfd: pytest.CaptureFixture) -> None:
    refused(words.split(), here, capfd, names=cure)


DEEP = "[" * 3000 + "]" * 3000


def text(content: str | bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))

    return make


def folder(path: Path) -> None:
    path.mkdir()


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**33)


# What any file may be in place of what it should be.
NO_FILE: dict[str, Callable[[Path], None]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": folder,
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "nothing": lambda _: None,
}
NO_TEXT: dict[str, Callable[[Path], None]] = {
    "empty": text(""),
    "binary": text(b"\xff\xfe\x00\x01"),
    "zeros": text(b"\x00" * 64),
    "gigabytes": huge,
    "half a character": text("\ud800"),
}
NO_YAML: dict[str, Callable[[Path], None]] = {
    "deep": text(f"name: {DEEP}"),
    "recursive": text("name: &a [*a]"),
    "a bomb": text("a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join(9 * [f'*a{i - 1}'])}]\n" for i in range(1, 12))),
    "a list": text("- name"),
    "a number": text("1"),
    "a set": text("!!set {name, pair}"),
    "bytes": text("name: !!binary aGVsbG8="),
    "an object": text("name: !!python/object/apply:os.system [true]"),
    "a long number": text("name: " + "9" * 5000),
    "a key twice": text("name: a\nname: b"),
    "a key that is no text": text("1: a\nnull: b"),
    "an escape": text("name: \x1b[31mred"),
    "a lone surrogate": text('name: "\\ud800"'),
    "a tag": text("name: !mine x"),
    "not closed": text("name: [1"),
}
NO_JSON: dict[str, Callable[[Path], None]] = {
    "deep": text('{"a": ' + DEEP + "}"),
    "a list": text("[]"),
    "a number": text("1"),
    "null": text("null"),
    "a long number": text('{"model_type": ' + "9" * 5000 + "}"),
    "a key twice": text('{"model_type": 1, "model_type": 2}'),
    "a lone surrogate": text('{"model_type": "\\ud800"}'),
    "cut short": text('{"model_type": '),
    "two": text("{} {}"),
}


def places(kinds: dict[str, Callable[[Path], None]]) -> list[pytest.ParameterSet]:
    return [pytest.param(make, id=name) for name, make in kinds.items()]


@pytest.mark.parametrize("make", places({**NO_FILE, **NO_TEXT, **NO_YAML}))
@pytest.mark.parametrize(
    "command",
    [
        ["doctor"],
        ["tune"],
        ["plan"],
        ["record", "-m", "ta"],
        ["merge", "-m", "ta", "--vl-weight", "1", "--exp-weight", "1", "--out", "merged"],
    ],
    ids=lambda command: command[0],
)
def test_pair_yaml(command: list[str], make: Callable[[Path], None], here: Path, capfd: pytest.CaptureFixture) -> None:
    path = here / "pair.yaml"
    make(path)
    refused([command[0], str(path), *command[1:]], here, capfd, names=str(path))


KEYS = (
    "name",
    "base",
    "vlm",
    "expert",
    "examples",
    "tier",
    "domain",
    "evaluation",
    "calibration",
    "merge",
    "language_prefixes",
    "traps",
    "trust_remote_code",
)
VALUES = ("[1, [2]]", "{a: {b: 1}}", "3", "1e999", "null", '"\\0"', "../../up", ".nan", "2024-02-30")
FINE = {
    ("name", "../../up"),
    ("name", '"\\0"'),
    *((key, value) for key in ("tier", "domain") for value in ("../../up", '"\\0"', "2024-02-30")),
    ("name", "2024-02-30"),
    ("evaluation", "{a: {b: 1}}"),
    ("calibration", "{a: {b: 1}}"),
}
"""What may stand there, as far as `doctor` looks."""


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key in KEYS for value in VALUES if (key, value) not in FINE]
)
def test_keys_of_a_pair(key: str, value: str, here: Path, capfd: pytest.CaptureFixture) -> None:
    content = {"name": "mine", "base": "base", "vlm": "vlm", "expert": "expert"}
    content[key] = value
    for name in ("base", "vlm", "expert"):
        (here / name).mkdir()
    path = here / "pair.yaml"
    path.write_text("".join(f"{name}: {what}\n" for name, what in content.items()), encoding="utf-8")
    refused(["doctor", str(path)], here, capfd, names=str(here))


@pytest.fixture
def models(here: Path) -> Path:
    """The shipped pair, by links."""
    for role in ("base", "vlm", "expert"):
        (here / role).mkdir()
        for path in (PAIR / role).iterdir():
            (here / role / path.name).symlink_to(path)
    return here


MODEL = [
    pytest.param(name, make, id=f"{name} is {what}")
    for name in ("config.json", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json")
    for what, make in {**NO_FILE, **NO_TEXT, **NO_JSON}.items()
    if (name, what)
    not in {
        ("model.safetensors.index.json", "nothing"),
        ("tokenizer_config.json", "nothing"),
    }
]
# What transformers opens besides, which must not wait for a pipe either.
MODEL += [
    pytest.param(name, NO_FILE[what], id=f"{name} is {what}")
    for name in ("chat_template.jinja", "generation_config.json", "merges.txt", "preprocessor_config.json")
    for what in ("a pipe", "a device", "a folder", "a link to itself")
]
MODEL += [
    pytest.param("model.safetensors", make, id=f"model.safetensors is {what}")
    for what, make in {
        **NO_FILE,
        **NO_TEXT,
        "a long header": text(b"\xff" * 64),
        "no header": text(b"\x08\0\0\0\0\0\0\0{}      "),
    }.items()
]


@pytest.mark.parametrize(("name", "make"), MODEL)
def test_files_of_a_model(name: str, make: Callable[[Path], None], models: Path, capfd: pytest.CaptureFixture) -> None:
    path = models / "expert" / name
    path.unlink(missing_ok=True)
    if name == "model.safetensors.index.json":
        (models / "expert" / "model.safetensors").unlink()
    make(path)
    arguments = [option for role in ("base", "vlm", "expert") for option in (f"--{role}", str(models / role))]
    refused(["doctor", *arguments], models, capfd, names=str(models / "expert"))


@pytest.fixture
def grids(here: Path) -> Path:
    """A landscape of the user's own."""
    root = here / "grids"
    shutil.copytree(
        LANDSCAPE,
        root / "ja-llama" / "ta",
        ignore=lambda folder, names: [n for n in names if (Path(folder) / n).is_dir()],
    )
    return root


@pytest.mark.parametrize("make", places({**NO_FILE, **NO_TEXT, **NO_YAML}))
def test_card_yaml(make: Callable[[Path], None], grids: Path, here: Path, capfd: pytest.CaptureFixture) -> None:
    path = grids / "ja-llama" / "ta" / "card.yaml"
    path.unlink()
    make(path)
    refused(["landscapes", "show", "ja-llama/ta", "--landscapes-dir", str(grids)], here, capfd, names=str(path))


CARD = (
    "name",
    "pair",
    "tier",
    "domain",
    "benchmark",
    "method",
    "parameters",
    "base",
    "checkpoints",
    "versions",
    "merge_options",
    "design",
    "metric",
    "direction",
    "split_rule",
    "n_examples",
    "licence",
    "date",
    "command",
    "notes",
    "synthetic",
)
CARD_VALUES = ("[1, [2]]", "{a: [b]}", "3", "null", ".inf")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (key, value)
        for key in CARD
        for value in CARD_VALUES
        if (key, value) not in {("versions", "{a: [b]}"), ("merge_options", "{a: [b]}")}
    ],
)
def test_keys_of_a_card(key: str, value: str, grids: Path, here: Path, capfd: pytest.CaptureFixture) -> None:
    import yaml

    path = grids / "ja-llama" / "ta" / "card.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    del content[key]
    path.write_text(yaml.safe_dump(content) + f"{key}: {value}\n", encoding="utf-8")
    refused(["landscapes", "show", "ja-llama/ta", "--landscapes-dir", str(grids)], here, capfd, names=str(path))


@pytest.mark.parametrize("make", places({**NO_FILE, **NO_TEXT, "text": text("PAR1 text PAR1")}))
def test_grid_parquet(make: Callable[[Path], None], grids: Path, here: Path, capfd: pytest.CaptureFixture) -> None:
    path = grids / "ja-llama" / "ta" / "grid.parquet"
    path.unlink()
    make(path)
    refused(["landscapes", "show", "ja-llama/ta", "--landscapes-dir", str(grids)], here, capfd, names=str(path))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(
    "make",
    places(
        {
            **{k: v for k, v in NO_FILE.items() if k != "a folder"},
            **NO_TEXT,
            "words": text("a,b\nc,d\n"),
            "one line": text("a,b\n"),
            "ragged": text("a,b\n1\n"),
            "escapes": text("\x1b[31m,[red]\n1,2\n"),
        }
    ),
)
def test_tables(suffix: str, make: Callable[[Path], None], here: Path, capfd: pytest.CaptureFixture) -> None:
    path = here / f"sweep{suffix}"
    make(path)
    refused(["landscapes", "add", str(path), "--space", "a", "--metric", "b"], here, capfd, names=str(path))


STUDY_FILES = [
    pytest.param(make, id=name)
    for name, make in {
        **NO_FILE,
        **NO_TEXT,
        **NO_JSON,
        "other types": text('{"pair": [], "pairs": {}, "command": 3}'),
        "a null": text('{"pair": null, "pairs": "x", "command": []}'),
    }.items()
    if name not in ("nothing", "a link to nothing", "a link to itself")
]


@pytest.mark.parametrize("make", STUDY_FILES)
@pytest.mark.parametrize("command", ["report", "export"])
def test_origin_json(command: str, make: Callable[[Path], None], here: Path, capfd: pytest.CaptureFixture) -> None:
    path = here / "studies" / "mine" / "origin.json"
    path.parent.mkdir(parents=True)
    make(path)
    refused([command, "mine", "--studies", str(here / "studies")], here, capfd, names="mine")


PLUGINS = {
    "raises": "raise ZeroDivisionError('\\x1b[31m')",
    "leaves": "import sys; sys.exit(0)",
    "is wrong": "def (",
    "is text": "Mine = 'text'",
    "is a function": "def Mine(): return 'text'",
    "is empty": "",
    "recurses": "def f(): f()\nf()",
}


@pytest.mark.parametrize("source", [pytest.param(source, id=name) for name, source in PLUGINS.items()])
def test_optimisers_of_a_users_own(
    source: str, here: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"mine_{abs(hash(source))}"
    (here / "stand" / f"{module}.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.setattr("sys.path", [str(here / "stand"), *os.sys.path])
    refused(["run", "-l", "ja-llama/ta", "-o", f"{module}:Mine"], here, capfd, names=module)
