"""The doctor's findings on one page of a terminal."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from hpo_bench.display.console import PlainConsole
from hpo_bench.display.printing import escaped
from hpo_bench.display.words import gib
from hpo_bench.merging.checkpoints.plausibility import Products, matrices, total
from hpo_bench.merging.doctor.diagnosis import Diagnosis
from hpo_bench.merging.doctor.distances import PUBLISHED, by_kind
from hpo_bench.merging.manifest import ROLES
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.scope import DTYPES

_MOST_LAYERS = 8
_COLOURS = {"error": "red", "warning": "yellow", "note": "dim"}


def show(diagnosis: Diagnosis, console: PlainConsole, *, every: bool = False) -> None:
    """Print the page.

    Args:
        diagnosis: What to print.
        console: Where.
        every: Whether to name every tensor of the VLM.
    """
    for table in (_models(diagnosis), _mapping(diagnosis), _vocabulary(diagnosis), _configuration(diagnosis)):
        if table is not None:
            _print(table, console)
    if every:
        _print(_tensors(diagnosis), console)
    if diagnosis.products:
        _print(_layers(diagnosis), console)
        _print(_kinds(diagnosis), console)
        _base(diagnosis, console)
    needed = ", ".join(f"{gib(diagnosis.memory[name])} {_IN[name]}" for name in DTYPES)
    console.print(f"Memory for live tuning: {needed}; {gib(diagnosis.memory_free)} are free.")
    console.print(f"Disk for an exported merge: {gib(diagnosis.disk)}; {gib(diagnosis.disk_free)} are free.\n")
    for finding in diagnosis.findings:
        _labelled(finding.severity, _COLOURS[finding.severity], finding.message, console)
    if diagnosis.fit:
        console.print("These can be merged.", style="green")
    else:
        console.print("A merge of these would be wrong.", style="red")


def show_pair(pair: Pair, console: PlainConsole) -> None:
    """Print what is said of a pair, for which none of its models need be here.

    Args:
        pair: What to print.
        console: Where.
    """
    console.print(pair.name, style="bold")
    for trap in pair.traps:
        _labelled("trap", "cyan", trap, console)
    for label, text in (("about", pair.notes), ("licence", pair.licence)):
        if text:
            _labelled(label, "cyan", text, console)


def _labelled(label: str, style: str, text: str, console: PlainConsole) -> None:
    console.print(Text.assemble((f"{label:<8} ", style), escaped(text)))


_IN = {"float32": "in float32", "bfloat16": "in bfloat16", "stored": "as stored"}


def _models(diagnosis: Diagnosis) -> Table:
    table = _table("", "weights", "on disk", "shards", "from", right=(1, 2, 3))
    for role in ROLES:
        checkpoint = diagnosis.alignment.models[role].checkpoint
        parent = diagnosis.alignment.configurations[role].parent
        note = diagnosis.alignment.models[role].note
        said = "; ".join(filter(None, (note, parent and f"says: from {parent}")))
        origin = str(diagnosis.pair.sources[role]) + (f" ({said})" if said else "")
        size = _count(checkpoint.elements)
        table.add_row(role, size, gib(checkpoint.bytes), str(len(checkpoint.files)), origin)
    return table


def _mapping(diagnosis: Diagnosis) -> Table:
    table = _table("language tensors", "tensors", "weights", "", "in the VLM -> in base and expert", right=(1, 2))
    for kind, row in diagnosis.mapping().items():
        state = "merged" if row["merged"] else "the VLM's own"
        sample = f"{row['vlm']} -> {row['language_model']}"
        table.add_row(kind, str(row["tensors"]), _count(row["weights"]), state, sample)
    alignment = diagnosis.alignment
    prefixes = ", ".join(f"{ours or '(nothing)'} -> {theirs}" for ours, theirs in alignment.backbone.prefixes.items())
    how = "as given" if diagnosis.pair.language_prefixes else "found by the base's names and shapes"
    inserted = len(alignment.backbone.inserted)
    between = f"; {inserted} tensors of layers that the VLM has between them are kept" if inserted else ""
    table.caption = f"names of the VLM in memory begin {prefixes}, {how}{between}"
    kept = diagnosis.kept()
    table.add_row("all others", str(kept["tensors"]), _count(kept["weights"]), "copied", ", ".join(kept["prefixes"]))
    return table


def _tensors(diagnosis: Diagnosis) -> Table:
    """Each tensor that the VLM stores."""
    table = _table("tensor of the VLM", "in base and expert, or kept")
    for name, theirs in diagnosis.tensors().items():
        table.add_row(name, theirs or "kept", style="" if theirs else "dim")
    return table


def _vocabulary(diagnosis: Diagnosis) -> Table | None:
    vocabulary = diagnosis.alignment.vocabulary
    if vocabulary is None:
        return None
    table = _table(
        "tokens", "shared with the VLM", "with another id", "only in the VLM", "only here", right=(1, 2, 3, 4)
    )
    for role, counts in vocabulary.counts.items():
        table.add_row(role, *(f"{counts[key]:,}" for key in ("shared", "moved", "only_vlm", "only_other")))
    if vocabulary.untokened:
        table.caption = f"{vocabulary.untokened:,} rows of the VLM have no token; they stay the VLM's"
    return table


def _configuration(diagnosis: Diagnosis) -> Table:
    """What differs; what does not is named below."""
    configurations = diagnosis.alignment.configurations
    table = _table("configuration", *ROLES)
    alike = []
    for fact in configurations["vlm"].facts:
        values = ["none" if value is None else str(value) for value in (configurations[r].facts[fact] for r in ROLES)]
        if len(set(values)) > 1:
            table.add_row(fact, *values, style="yellow")
        else:
            alike.append(f"{fact} {values[0]}")
    table.caption = "the same in all three: " + ", ".join(alike)
    return table


def _layers(diagnosis: Diagnosis) -> Table:
    table = _table(
        "task vectors", "|VLM - base|", "of |base|", "|expert - base|", "of |base|", "cosine of both", right=range(1, 6)
    )
    for label, products in _grouped(diagnosis.by_layer()):
        cosine = "" if products.cosine is None else f"{products.cosine:.3f}"
        table.add_row(
            label,
            f"{products.vv**0.5:.3g}",
            f"{products.size('vlm'):.1%}",
            f"{products.ee**0.5:.3g}",
            f"{products.size('expert'):.1%}",
            cosine,
        )
    return table


def _kinds(diagnosis: Diagnosis) -> Table:
    """Lengths by kind of tensor, beside those of published VLMs."""
    published = [one.name.replace("-", " ") for one in PUBLISHED]  # which narrow tables break at spaces
    table = _table("of |base|, by kind", "VLM", "expert", *published, right=range(1, 3 + len(published)))
    for kind, products in by_kind(diagnosis.products).items():
        sizes = (f"{products.size('vlm'):.1%}", f"{products.size('expert'):.1%}")
        table.add_row(kind, *sizes, *(one.shown(kind) for one in PUBLISHED))
    table.caption = (
        "published: Qwen3-VL-8B from Qwen3-8B, Qwen2.5-VL-7B from Qwen2.5-7B-Instruct; ours: nano pairs, and "
        "turkish-smollm2 on SmolLM2-135M"
    )
    return table


def _grouped(layers: dict[str, Products]) -> Iterable[tuple[str, Products]]:
    """Layers in at most so many rows, neighbours together; `--json` has each."""
    numbered = [layer for layer in layers if layer.isdigit()]
    per_row = -(-len(numbered) // _MOST_LAYERS)
    rows: dict[str, Sequence[str]] = {}
    for start in range(0, len(numbered), per_row or 1):
        group = numbered[start : start + per_row]
        rows[f"layer {group[0]}" if len(group) == 1 else f"layers {group[0]}-{group[-1]}"] = group
    before = {name: (name,) for name in layers if name == "embeddings"}
    after = {name: (name,) for name in layers if name in ("norm", "head")}
    return [(label, total(layers, members)) for label, members in {**before, **rows, **after}.items()]


def _base(diagnosis: Diagnosis, console: PlainConsole) -> None:
    over = total(diagnosis.products, matrices(diagnosis.products))
    console.print(
        f"Cosine with the base's weights, attention and feed-forward: VLM {over.likeness('vlm'):.3f}, expert "
        f"{over.likeness('expert'):.3f} (fine-tunes over 0.9, unrelated models 0).",
    )
    if diagnosis.candidates:
        table = _table("candidate base", "VLM's task vector", "expert's", "", right=(1, 2))
        for place, candidate in enumerate(diagnosis.candidates):
            sizes = ("", "") if candidate.reason else (f"{candidate.vlm:.1%}", f"{candidate.expert:.1%}")
            verdict = candidate.reason or ("nearest" if place == 0 else "")
            table.add_row(candidate.name, *sizes, verdict)
        console.print(table)


def _print(table: Table, console: PlainConsole) -> None:
    """Print a table that has rows, and below it what is said of it, which needs more room than a narrow one has."""
    said, table.caption = table.caption, None
    if table.rows:
        console.print(table)
    if said:
        console.print(said if isinstance(said, str) else Text.assemble(said))


def _table(*heads: str, right: Iterable[int] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    aligned = set(right)
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place in aligned else "left", overflow="fold")
    return table


def _count(weights: int) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if weights >= size:
            return f"{weights / size:.2f} {unit}"
    return str(weights)
