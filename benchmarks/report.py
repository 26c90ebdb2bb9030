"""Writes the benchmark's results as a Markdown page and a plot."""

import pathlib
from collections.abc import Callable, Mapping

from benchmarks import epoch, preparation
from benchmarks.workload import BATCH, MODELS, VOCABULARIES
from experiments.reports.blocks import Block
from experiments.reports.document import Document, Section
from experiments.reports.grid import Grid, Interval, Number, Text
from experiments.reports.markdown import Trusted

# Each claim: a contender, the one it is compared with, the workload, the least ratio.
CLAIMS = (
    ("mmoe disk", "mmoe merlin", "W", 2.0),
    ("mmoe bfloat16_products", "mmoe merlin", "W", 2.0),
    ("mmoe disk", "mmoe torch_rechub", "W", 12.0),
    ("mmoe disk", "mmoe deepctr", "W", 12.0),
    ("mmoe disk", "mmoe torch_rechub", "W10", 40.0),
    ("mmoe disk", "mmoe deepctr", "W10", 40.0),
    ("mmoe disk", "mmoe naive", "W", None),
    ("mmoe disk", "mmoe naive", "W10", None),
    ("dcrnn disk", "dcrnn naive", "W", 7.0),
    ("dcrnn_ada disk", "dcrnn_ada naive", "W", 7.0),
    ("dcrnn dense", "dcrnn naive dense", "W", 4.0),
    ("dcrnn_ada dense", "dcrnn_ada naive dense", "W", 4.0),
    ("dcrnn disk", "mmoe disk", "W", 0.8),
    ("dcrnn_ada disk", "mmoe disk", "W", 0.8),
    ("mmoe disk", "mmoe memory", "W", 0.95),
    ("dcrnn_ada disk", "dcrnn_ada memory", "W", 0.95),
    ("mmoe deferred", "mmoe disk", "W", None),
    ("mmoe bfloat16_products", "mmoe disk", "W", None),
    ("dcrnn bfloat16_products", "dcrnn naive", "W", 7.0),
    ("dcrnn_ada bfloat16_products", "dcrnn_ada naive", "W", 7.0),
    ("mmoe bfloat16", "mmoe disk", "W", None),
    ("dcrnn_ada deferred", "dcrnn_ada disk", "W", None),
    ("dcrnn_ada bfloat16", "dcrnn_ada disk", "W", None),
    ("dcrnn_ada compiled", "dcrnn_ada disk", "W", None),
)


def ratios(results: Mapping) -> list[dict]:
    """Returns each claim that the results speak of: ratio of medians, its range over rounds."""
    found = []
    for label, other, size, wanted in CLAIMS:
        both = [
            [s for s in results["speeds"] if (s["label"], s["workload"]) == (name, size)]
            for name in (label, other)
        ]
        pairs = [(a, b) for a in both[0] for b in both[1] if a["group"] == b["group"]]
        pairs += [(a, b) for a in both[0][:1] for b in both[1][:1]]  # of two groups, if need be
        if pairs:
            ratio = compared(f"{label} / {other}", *pairs[0], wanted)
            found.append(ratio | {"workload": size})
    small, large = (
        {s["label"]: s for s in reversed(results["speeds"]) if s["workload"] == size}
        for size in VOCABULARIES
    )
    for model in MODELS:
        label = f"{model} disk"
        if label in large:
            ratio = compared(f"{label}, W10 / W", large[label], small[label], 0.85)
            found.append(ratio | {"workload": "both"})
    return found


def compared(claim: str, speed: Mapping, other: Mapping, wanted: float | None) -> dict:
    """Returns the ratio of two contenders' speeds, and its range over rounds."""
    rounds = [x / y for x, y in zip(speed["windows"], other["windows"], strict=True)]
    return {
        "claim": claim,
        "ratio": speed["rows_per_second"] / other["rows_per_second"],
        "least": min(rounds),
        "most": max(rounds),
        "wanted": wanted,
    }


def floors(results: Mapping) -> list[dict]:
    """Returns the step time of each model from disk, and that of its products alone."""
    found: list[dict] = []
    for speed in results["speeds"]:
        model, _, form = speed["label"].partition(" ")
        if (form, speed["workload"]) != ("disk", "W") or model in {f["model"] for f in found}:
            continue
        floor = BATCH * results["operations_per_row"][model] / results["product_rate"]
        step = BATCH / speed["rows_per_second"]
        found.append({"model": model, "step": step, "floor": floor, "ratio": step / floor})
    return found


def milliseconds(decimals: int) -> Callable[[float], str]:
    """Returns how a time in seconds is printed in milliseconds."""
    return lambda seconds: f"{seconds * 1e3:.{decimals}f} ms"


WORKLOAD = Text("workload", "workload")
SPEED = (
    Number("rows/s, median", "rows_per_second", ",.0f"),
    Interval("windows", lambda speed: (min(speed["windows"]), max(speed["windows"])), ",.0f"),
)
RATIO = (
    Number("of medians", "ratio", ".2f"),
    Interval("over rounds", lambda ratio: (ratio["least"], ratio["most"]), ".2f"),
    Number("at least", "wanted", "g", missing=""),
)
FLOOR = (
    Number("products alone", "floor", milliseconds(1)),
    Number("ratio", "ratio", ".2f"),
)


def host_words(host: Mapping) -> str:
    """Returns a sentence on the machine and the versions of what computes."""
    return (
        f"{host['processor']}, {host['cores']} cores; TensorFlow {host['tensorflow']}, Keras "
        f"{host['keras']}, Python {host['python']}."
    )


def write(results: Mapping, out_dir: pathlib.Path) -> None:
    """Writes `benchmark.md` and, with both vocabularies, `benchmark.png`."""
    Document("Benchmark", Section("", _blocks(results))).write(out_dir / "benchmark.md")
    if any(speed["workload"] == "W10" for speed in results["speeds"]):
        _plot(results, out_dir / "benchmark.png")


def _blocks(results: Mapping) -> list[Block | str]:
    lists, auc = results["lists"], results["auc"]
    speed = (
        Text("", "label"),
        WORKLOAD,
        *SPEED,
        Number("peak memory", "peak_bytes", preparation.gib(1)),
    )
    step = (Text("model", "model"), Number("step", "step", milliseconds(1)))
    return [
        Trusted(
            "All data is synthetic: 400,000 rows, 23 single-valued fields, ids log-uniform in "
            f"rank; batch {BATCH}, embedding 32. W has 2.5 M embedding rows, W10 10 M; `lists` "
            "has Ali-CCP's fields instead, four histories of a user and two lists of an "
            "exposure among them."
        ),
        (
            f"{host_words(results['machine'])} Products: {results['product_rate'] / 1e9:.0f} "
            f"GFLOP/s; memory copy, one core: {results['copy_rate'] / 1e9:.1f} GB/s."
        ),
        Grid.of("Speeds", speed, results["speeds"]),
        Grid.of("Ratios", (Text("ratio", "claim"), WORKLOAD, *RATIO), ratios(results)),
        Grid.of("Floors", (*step, *FLOOR), floors(results)),
        *preparation.blocks(results["preparation"]),
        *(epoch.blocks(results["epochs"]) if "epochs" in results else ()),
        Trusted(
            "Histories of the real lengths, cut to 200 values (`lists`): "
            f"{lists['bytes_per_exposure']:.0f} bytes on disk an exposure, the entity table "
            f"{lists['table_bytes_per_user']:,.0f} bytes of memory a user."
        ),
        (
            f"Exact AUC of {auc['rows']:,} scores: {auc['seconds']:.1f} s, peak memory "
            f"{preparation.gib(2)(auc['peak_bytes'])}."
        ),
    ]


def _plot(results: Mapping, path: pathlib.Path) -> None:
    """Rows a second against the size of the vocabulary."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    by_label: dict[str, dict[str, float]] = {}
    for speed in results["speeds"]:
        found = by_label.setdefault(speed["label"], {})
        found.setdefault(speed["workload"], speed["rows_per_second"])
    for label, found in by_label.items():
        if found.keys() >= VOCABULARIES.keys():
            own = label.endswith(" disk")
            axes.plot(
                list(VOCABULARIES.values()),
                [found[size] for size in VOCABULARIES],
                marker="o",
                linestyle="-" if own else "--",
                label=label.replace(" disk", " (this project)"),
            )
    axes.set(xscale="log", yscale="log", xlabel="embedding rows", ylabel="rows per second")
    axes.set_xticks(list(VOCABULARIES.values()), [f"{n / 1e6:g} M" for n in VOCABULARIES.values()])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    axes.set_title("Training speed, synthetic data, batch 1,024")
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
