"""Damaged files of a run: read as they are, or a sentence that names the file."""

import json

import pytest
from hypothesis import strategies as st
from matplotlib.figure import Figure

from dcrnn_tf.training import metrics_log
from experiments.reports import plots
from experiments.reports.blocks import Picture
from experiments.runs import findings, reuse
from experiments.runs.pages import curves, report
from experiments.runs.run import load_run
from tests.experiments.run_folders import write_run
from tests.fuzzing import JSON_CHANGES, MUTATIONS, SEEDS, cases, changed, fuzz, mutate, result

FILES = (
    *("config.json", "run.json", "result.json"),
    *("curves.json", "explanation.json", "metrics.jsonl"),
)
EXPLANATION = {
    "gate": {"rows": ["a", "b"], "columns": ["c"], "mean": [[0.5], [1.0]], "std": [[0.1], [0.2]]}
}
SEPARATORS = b'",:{}[] \n'
DRAWN = 400  # one report of 400 is drawn as well, which takes a second


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    aucs = {"click": 0.7, "conversion": 0.6}
    folder = tmp_path_factory.mktemp("fuzz") / "run"
    return write_run(folder, aucs, statistics={"share": 0.5}, explanation=EXPLANATION)


def use(run_dir):
    """Reads a run as every program does that reads runs."""
    run = load_run(run_dir)
    reuse.remark(run_dir)
    reuse.made_by(run_dir, ["python", "-m", "experiments.train"])
    entries = curves.read_metrics(run)
    metrics_log.best_step(entries)
    text = report.document(run).markdown()
    assert "Traceback" not in text
    (run_dir / "report.html").write_text(report.document(run).html(), encoding="utf-8")


def check(folder, name, damaged, drawn):
    """Reads the run with one of its files exchanged, and says how that ended."""
    path, whole = folder / name, (folder / name).read_bytes()
    path.write_bytes(damaged)
    try:
        with pytest.MonkeyPatch.context() as patch:
            if not drawn:
                patch.setattr(plots, "panel", lambda *_, **__: Picture("", ""))
                patch.setattr(Figure, "savefig", lambda *_, **__: None)  # of all other pictures
            _, sentence = result(lambda: use(folder))
        found = [finding for finding in findings.findings(folder) if str(path) in finding]
    finally:
        path.write_bytes(whole)
    if sentence is None:
        return "read"
    assert str(path) in sentence
    assert "\n" not in sentence
    assert found
    return "refused"


@cases(quick=30, slow=10_000)
def test_damaged_text(examples, folder):
    def damage(name, mutations, seed):
        text = mutate((folder / name).read_bytes(), mutations, SEPARATORS)
        return check(folder, name, text, seed % DRAWN == 7)

    fuzz(
        damage,
        examples,
        {"read", "refused"},
        name=st.sampled_from(FILES),
        mutations=MUTATIONS,
        seed=SEEDS,
    )


@cases(quick=30, slow=10_000)
def test_changed_content(examples, folder):
    def damage(name, changes, seed):
        text = (folder / name).read_bytes()
        lines = text.splitlines()
        number = seed % len(lines) if name == "metrics.jsonl" else 0
        content = json.loads(lines[number])
        for change in changes:
            content = changed(content, *change)
        lines[number] = json.dumps(content).encode()
        return check(folder, name, b"\n".join(lines) + b"\n", seed % DRAWN == 7)

    fuzz(
        damage,
        examples,
        {"read", "refused"},
        name=st.sampled_from(FILES),
        changes=JSON_CHANGES,
        seed=SEEDS,
    )


def test_the_largest_numbers_are_drawn(tmp_path):
    largest = 3.4e38
    explanation = {"gate": EXPLANATION["gate"] | {"mean": [[-largest], [largest]]}}
    folder = write_run(tmp_path / "run", {"click": 0.7}, explanation=explanation)
    metrics = (folder / "metrics.jsonl").read_text()
    (folder / "metrics.jsonl").write_text(
        metrics.replace('"loss": 1.', f'"loss": {largest}, "x": 1.')
    )
    content = json.loads((folder / "curves.json").read_text())
    scores, count = content["click"]["scores"], 2**63 - 1
    scores["edges"] = [-largest, largest]
    scores["positives"] = scores["negatives"] = [count]
    for name, rates in content["click"]["roc"].items():
        content["click"]["roc"][name] = [-largest, largest, *rates[2:]]
    (folder / "curves.json").write_text(json.dumps(content))
    use(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"{", b"[" * 100_000, b"\xff\xfe{\x00"])
def test_files_of_nothing_and_of_something_else(folder, name, text):
    assert check(folder, name, text + b"\n", drawn=False) == "refused"
