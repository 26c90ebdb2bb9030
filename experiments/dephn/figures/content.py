"""Content of the figures of the DEPHN paper: results of tables as figures and sentences."""

import pathlib

import numpy as np
import tensorflow as tf
from scipy.stats import spearmanr

from data_prep.criteo import planting
from dcrnn_tf.layers.experts.virtual_gradient import FUNCTIONS
from dcrnn_tf.system.errors import DatasetError
from experiments.dephn import tables
from experiments.dephn.figures import plots
from experiments.runs import run_folder, trained_runs
from experiments.runs.pages.curves import read_metrics
from experiments.tables.figure_page import DrawnFigure, Results, difference_words, made_on
from experiments.tables.statistics import paired_difference

POINTS = 4000  # examples that Fig. 7 shows


def figure_3(results: Results) -> list[DrawnFigure]:
    """Returns soft selection, and the shares of public and private experts, of a trained MTPHN."""
    result = results[tables.FIGURE_3.name]
    run = next(row.runs[0] for row in result.rows if row.row.model == "mtphn")
    explained = run_folder.read(run.folder, run_folder.EXPLANATION_FILE)
    gates = {
        name.removeprefix("soft selection, "): np.asarray(found["mean"])
        for name, found in explained.items()
        if name.startswith("soft selection, ")
    }
    fields = explained["soft selection, dnn"]["rows"]
    share = explained["share"]
    shares = dict(zip(share["rows"], (tuple(pair) for pair in share["mean"]), strict=True))
    means = ", ".join(f"{name} {gate.mean():.3f}" for name, gate in gates.items())
    spreads = ", ".join(f"{name} {gate.std():.3f}" for name, gate in gates.items())
    data = made_on(result)
    return [
        DrawnFigure(
            "figure_3a",
            "Figure 3a: soft selection gates of the three structures",
            plots.figure_3a(gates, fields),
            (
                "Each map is G_sg of one structure, a row per field and a column per dimension of "
                "the embedding. It starts at 0.5: red leans to attended embeddings, blue to raw "
                "ones.",
                f"One run. Mean of the gates: {means}; standard deviation: {spreads}.",
            ),
            data,
        ),
        DrawnFigure(
            "figure_3b",
            "Figure 3b: public and private shares of the activation",
            plots.figure_3b(shares),
            (
                "A task's logit is a public plus a private part; the shares are of their absolute "
                "values, averaged over test examples of one run.",
            ),
            data,
        ),
    ]


def figure_4() -> DrawnFigure:
    """Returns the eight functions of gamma."""

    def of_arrays(gamma):
        return lambda x, y: gamma(tf.constant(x), tf.constant(y)).numpy()

    functions = {
        f"{letter}  {_FORMULAS[letter]}": of_arrays(FUNCTIONS[name])
        for letter, name in tables.FUNCTIONS.items()
    }
    return DrawnFigure(
        "figure_4",
        "Figure 4: gamma of correlation and gate difference",
        plots.figure_4(functions),
        (
            "Exact values of the eight functions, no data. Red amplifies a gate's gradient, up to "
            "twice; blue shrinks it, down to nothing.",
            "Upper row, of the product xy: gradients shrink in a band in the upper right, where "
            "2xy is near 1. Lower row, of the sum: they shrink along the diagonal x + y = 1.",
            "Square functions shrink a wider region than the absolute value, square roots a "
            "narrower one.",
        ),
    )


_FORMULAS = {
    "a": "cos(2πxy) + 1",
    "b": "2|2xy − 1|",
    "c": "2(2xy − 1)²",
    "d": "2|2xy − 1|$^{0.5}$",
    "e": "cos(πx + πy) + 1",
    "f": "2|x + y − 1|",
    "g": "2(x + y − 1)²",
    "h": "2|x + y − 1|$^{0.5}$",
}


def figure_5(results: Results) -> DrawnFigure:
    """Returns the change of AUC over MMoE for each function and correlation."""
    changes: dict[str, dict] = {}
    below = above = pairs = 0
    seeds: set[int] = set()
    apart = []
    shown = [results[table.name] for table in (tables.FIGURE_5_R, tables.FIGURE_5_UR)]
    for result in shown:
        table = result.table
        rows = {row.row.label: row for row in result.rows}
        plain = rows["DEPHN without virtual gradient"]
        for task in table.tasks:
            found = [
                paired_difference(*(one.tasks[task].metrics["auc"].by_seed for one in (row, plain)))
                for label, row in rows.items()
                if label.startswith(("DEPHN Pearson", "DEPHN cosine"))
            ]
            largest = max((abs(one.mean) for one in found if one), default=None)
            words = "no runs" if largest is None else f"{largest:.1e}"
            apart.append(f"{table.dataset} {task} {words}")
        for words in tables.CORRELATIONS:
            panel = changes.setdefault(f"{table.dataset}, {words}", {})
            for task in table.tasks:
                panel[task] = {
                    letter: rows[f"DEPHN {words}, {letter}"].tasks[task].metrics["auc"].difference
                    for letter in tables.FUNCTIONS
                }
                for difference in panel[task].values():
                    if difference is None:
                        continue
                    seeds.add(difference.pairs)
                    if difference.interval:
                        pairs += 1
                        below += difference.interval[1] < 0
                        above += difference.interval[0] > 0
    verdict = (
        f"Of {pairs} comparisons with MMoE, {above} have an interval above 0 and {below} one "
        "below. All of a dataset share MMoE's runs, so that they miss 0 together."
        if pairs
        else "There are no intervals: they take two seeds that differ."
    )
    return DrawnFigure(
        "figure_5",
        "Figure 5: DEPHN's AUC minus MMoE's for each function of gamma",
        plots.figure_5(changes),
        (
            f"{', '.join(str(n) for n in sorted(seeds))} paired seeds. Dots are means, bars 95 % "
            "intervals; a panel for each dataset and correlation, the paper's letters below.",
            verdict,
            "Largest mean difference of any function from DEPHN without virtual gradient, same "
            f"seeds: {', '.join(apart)}.",
        ),
        " ".join(made_on(result) for result in shown),
    )


def figure_6(results: Results) -> DrawnFigure:
    """Returns training losses under value gates and under mapping gates."""
    result = results[tables.FIGURE_6.name]
    table = result.table
    losses: dict[str, dict] = {task: {} for task in table.tasks}
    sentences = []
    for row in result.rows:
        for run in row.runs:
            entries = [entry for entry in read_metrics(run) if entry["kind"] == "train"]
            steps = np.array([entry["step"] for entry in entries])
            for task in table.tasks:
                loss = np.array([entry["losses"][task] for entry in entries])
                losses[task].setdefault(row.row.label, []).append((steps, loss))
        last = {
            task: np.mean([loss[-1] for _, loss in losses[task][row.row.label]])
            for task in table.tasks
        }
        words = ", ".join(f"{task} {value:.4f}" for task, value in last.items())
        aucs = {task: found.metrics["auc"] for task, found in row.tasks.items()}
        means = ", ".join(f"{t} {found.mean:.4f}" for t, found in aucs.items() if found.summary)
        sentences.append(f"{row.row.label}: mean of the last losses logged {words}; AUC {means}.")
        sentences += [
            f"{row.row.label} minus {table.baseline}, AUC of {task}: "
            f"{difference_words(found.difference)}."
            for task, found in aucs.items()
            if found.difference is not None
        ]
    return DrawnFigure(
        "figure_6",
        "Figure 6: training loss under trainable value gates (TVG) and mapping gates (MG)",
        plots.figure_6(losses),
        (
            "Mean over seeds, with the range from lowest to highest where there are several. All "
            "have the virtual gradient; softmax gates start almost equal, so that under MG gamma "
            "is for long a function of the labels' correlation alone. Their sum is 1, so that each "
            "is about a twelfth of a value gate; without the softmax gates start at 1.",
            *sentences,
        ),
        made_on(result),
    )


def figure_7(results: Results) -> DrawnFigure:
    """Returns predicted activations on Criteo-UR beside the planted relation."""
    result = results[tables.FIGURE_5_UR.name]
    table = result.table
    rows = {row.row.label: row for row in result.rows}
    activations: dict[str, tuple] = {}
    fits: dict[str, dict[str, dict[int, float]]] = {}
    for label, row in (("MMoE", rows["MMoE"]), ("DEPHN", rows["DEPHN Pearson, h"])):
        fits[label] = {task: {} for task in table.tasks}
        for run in row.runs:
            trained = trained_runs.load(run.folder)
            _, logits = trained.predictor.predict(trained.dataset, "test")
            confidence = planted_confidence(
                pathlib.Path(run.config["data_dir"], "confidence_test.npy")
            )
            one, other = (logits[task] for task in table.tasks)
            planted = (confidence, planting.unrelated(confidence))
            for task, truth, predicted in zip(table.tasks, planted, (one, other), strict=True):
                fits[label][task][run.seed] = float(spearmanr(truth, predicted).statistic)
            columns = tuple(values[:POINTS] for values in (confidence, one, other))
            activations.setdefault(label, columns)
    sentences = []
    for task in table.tasks:
        means = ", ".join(
            f"{label} {np.mean(list(found[task].values())):.3f}" for label, found in fits.items()
        )
        difference = paired_difference(fits["DEPHN"][task], fits["MMoE"][task])
        sentences.append(
            f"Rank correlation of predicted and planted confidence, {task}, mean over seeds: "
            f"{means}; DEPHN minus MMoE {difference_words(difference)}."
        )
    return DrawnFigure(
        "figure_7",
        "Figure 7: predicted activations on Criteo-UR, MMoE and DEPHN",
        plots.figure_7(activations, table.tasks, planting.unrelated),
        (
            "Points are of the lowest seed. Left: the second task's activation against the "
            "first's. Right: both against the confidence c that made the labels. Orange is what "
            "was planted.",
            "Activations are drawn as normal quantiles of their ranks: labels only say on which "
            "side of 0 a confidence lies, so that no model can learn its scale.",
            *sentences,
        ),
        made_on(result),
    )


def planted_confidence(path: pathlib.Path) -> np.ndarray:
    """Reads the confidence that a preparation has written beside a split.

    Raises:
      DatasetError: The file is missing or damaged.
    """
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path} cannot be read ({error}); prepare the dataset again") from None
