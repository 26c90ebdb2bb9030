"""The benchmark's results as a table and a plot."""

import pathlib
from collections.abc import Mapping

from benchmarks import epoch, preparation
from benchmarks.workload import BATCH, MODELS, VOCABULARIES

# What is claimed: a contender, the one it is compared with, the workload, the least ratio.
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
    """Each claim that the results speak of: ratio of medians, its range over rounds."""
    found = []
    for label, other, size, wanted in CLAIMS:
        both = [
            [s for s in results["speeds"] if (s["label"], s["workload"]) == (name, size)]
            for name in (label, other)
        ]
        pairs = [(a, b) for a in both[0] for b in both[1] if a["group"] == b["group"]]
        pairs += [(a, b) for a in both[0][:1] for b in both[1][:1]]  # of two groups, if need be
        if pairs:
            a, b = pairs[0]
            rounds = [x / y for x, y in zip(a["windows"], b["windows"], strict=True)]
            found.append(
                {
                    "claim": f"{label} / {other}",
                    "workload": size,
                    "ratio": a["rows_per_second"] / b["rows_per_second"],
                    "least": min(rounds),
                    "most": max(rounds),
                    "wanted": wanted,
                }
            )
    small, large = (
        {s["label"]: s for s in reversed(results["speeds"]) if s["workload"] == size}
        for size in VOCABULARIES
    )
    for model in MODELS:
        label = f"{model} disk"
        if label in large:
            a, b = large[label], small[label]
            rounds = [x / y for x, y in zip(a["windows"], b["windows"], strict=True)]
            found.append(
                {
                    "claim": f"{label}, W10 / W",
                    "workload": "both",
                    "ratio": a["rows_per_second"] / b["rows_per_second"],
                    "least": min(rounds),
                    "most": max(rounds),
                    "wanted": 0.85,
                }
            )
    return found


def floors(results: Mapping) -> list[dict]:
    """Step time of each model from disk, over the time that its products alone would take."""
    found = []
    for speed in results["speeds"]:
        model, _, form = speed["label"].partition(" ")
        if (form, speed["workload"]) != ("disk", "W") or model in {f["model"] for f in found}:
            continue
        floor = BATCH * results["operations_per_row"][model] / results["product_rate"]
        step = BATCH / speed["rows_per_second"]
        found.append({"model": model, "step": step, "floor": floor, "ratio": step / floor})
    return found


def write(results: Mapping, out_dir: pathlib.Path) -> None:
    """Writes `benchmark.md` and, with both vocabularies, `benchmark.png`."""
    host = results["machine"]
    lines = [
        "# Benchmark",
        "",
        "All data is synthetic: 400,000 rows, 23 single-valued fields, ids log-uniform in rank; "
        f"batch {BATCH}, embedding 32. W has 2.5 M embedding rows, W10 10 M; `lists` has Ali-CCP's "
        "fields instead, four histories of a user and two lists of an exposure among them.",
        "",
        f"{host['processor']}, {host['cores']} cores; TensorFlow {host['tensorflow']}, Keras "
        f"{host['keras']}, Python {host['python']}. Products: "
        f"{results['product_rate'] / 1e9:.0f} GFLOP/s; memory copy, one core: "
        f"{results['copy_rate'] / 1e9:.1f} GB/s.",
        "",
        "| | workload | rows/s, median | windows | peak memory |",
        "|---|---|---|---|---|",
    ]
    for speed in results["speeds"]:
        low, high = min(speed["windows"]), max(speed["windows"])
        lines.append(
            f"| {speed['label']} | {speed['workload']} | {speed['rows_per_second']:,.0f} "
            f"| {low:,.0f} to {high:,.0f} | {speed['peak_bytes'] / 2**30:.1f} GiB |"
        )
    lines += [
        "",
        "| ratio | workload | of medians | over rounds | at least |",
        "|---|---|---|---|---|",
    ]
    for ratio in ratios(results):
        wanted = "" if ratio["wanted"] is None else f"{ratio['wanted']:g}"
        lines.append(
            f"| {ratio['claim']} | {ratio['workload']} | {ratio['ratio']:.2f} "
            f"| {ratio['least']:.2f} to {ratio['most']:.2f} | {wanted} |"
        )
    lines += ["", "| model | step | products alone | ratio |", "|---|---|---|---|"]
    for floor in floors(results):
        lines.append(
            f"| {floor['model']} | {floor['step'] * 1e3:.1f} ms | {floor['floor'] * 1e3:.1f} ms "
            f"| {floor['ratio']:.2f} |"
        )
    lines += [
        "",
        "Preparation of simulated Ali-CCP logs (`data_prep.ali_ccp`, start-up included):",
        "",
    ]
    lines += [
        "| rows | seconds | rows/s | processor seconds | peak memory |",
        "|---|---|---|---|---|",
    ]
    for point in results["preparation"]:
        lines.append(
            f"| {point['rows']:,} | {point['seconds']:.1f} | {point['rows_per_second']:,.0f} "
            f"| {point['cpu_seconds']:.1f} | {point['peak_bytes'] / 2**30:.2f} GiB |"
        )
    if full := preparation.extrapolated(results["preparation"]):
        lines.append(
            f"| {full['rows']:,} (extrapolated) | {full['seconds']:.0f} "
            f"| {full['rows_per_second']:,.0f} | | |"
        )
    if "epochs" in results:
        lines += ["", *epoch.table(results["epochs"])]
    lists, auc = results["lists"], results["auc"]
    lines += [
        "",
        "Histories of the real lengths, cut to 200 values (`lists`): "
        f"{lists['bytes_per_exposure']:.0f} bytes on disk an exposure, the entity table "
        f"{lists['table_bytes_per_user']:,.0f} bytes of memory a user.",
        "",
        f"Exact AUC of {auc['rows']:,} scores: {auc['seconds']:.1f} s, peak memory "
        f"{auc['peak_bytes'] / 2**30:.2f} GiB.",
    ]
    (out_dir / "benchmark.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if any(speed["workload"] == "W10" for speed in results["speeds"]):
        _plot(results, out_dir / "benchmark.png")


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
