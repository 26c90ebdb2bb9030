import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import epoch, machine, preparation, report, workload
from dcrnn_tf.system import json_form
from dcrnn_tf.system.errors import DatasetError, UserError
from tests.markdown import unpadded


def speed(label, windows, workload="W", group=0):
    return {
        "label": label,
        "workload": workload,
        "group": group,
        "rows_per_second": sorted(windows)[len(windows) // 2],
        "windows": windows,
        "peak_bytes": 2**30,
    }


def results(**changes):
    return {
        "machine": {
            "processor": "abacus",
            "cores": 2,
            "python": "3",
            "tensorflow": "2",
            "keras": "3",
        },
        "product_rate": 200e9,
        "copy_rate": 10e9,
        "operations_per_row": machine.operations_per_row(),
        "speeds": [
            speed("mmoe disk", [20_000.0, 30_000.0, 40_000.0]),
            speed("mmoe naive", [2_000.0, 2_000.0, 4_000.0]),
            speed("dcrnn disk", [24_000.0, 15_000.0, 20_000.0]),
            speed("dcrnn_ada disk", [20_000.0, 20_000.0, 20_000.0]),
            speed("mmoe disk", [27_000.0, 27_000.0, 20_000.0], "W10", 5),
        ],
        "lists": {"bytes_per_exposure": 151.2, "table_bytes_per_user": 2000.0},
        "preparation": [
            {
                "rows": 1000,
                "seconds": 5.0,
                "rows_per_second": 200,
                "cpu_seconds": 7,
                "peak_bytes": 2**30,
            }
        ],
        "auc": {"rows": 10, "seconds": 1.0, "peak_bytes": 2**30},
    } | changes


def test_ratios_are_of_medians_with_their_range_over_rounds():
    found = {(r["claim"], r["workload"]): r for r in report.ratios(results())}
    naive = found["mmoe disk / mmoe naive", "W"]
    assert (naive["ratio"], naive["least"], naive["most"]) == (15.0, 10.0, 15.0)
    dcrnn = found["dcrnn disk / mmoe disk", "W"]
    assert dcrnn["ratio"] == pytest.approx(2 / 3)
    assert (dcrnn["least"], dcrnn["most"], dcrnn["wanted"]) == (0.5, 1.2, 0.8)
    assert found["mmoe disk, W10 / W", "both"]["ratio"] == pytest.approx(0.9)
    assert ("mmoe disk / mmoe merlin", "W") not in found  # was not timed


def test_a_step_is_compared_with_its_products_alone():
    mmoe = report.floors(results())[0]
    # Eight experts 736 x 128 x 64, two gates 736 x 8 that mix eight vectors of 64, two towers
    # 64 x 64 x 32 x 1; two operations for each product of numbers, three times as many to train.
    forward = 8 * (736 * 128 + 128 * 64) + 2 * (736 * 8 + 8 * 64 + 64 * 64 + 64 * 32 + 32)
    assert mmoe["floor"] == pytest.approx(1024 * 6 * forward / 200e9)
    assert mmoe["step"] == pytest.approx(1024 / 30_000)
    assert mmoe["ratio"] == pytest.approx(mmoe["step"] / mmoe["floor"])


def test_the_line_through_the_two_largest_sizes():
    points = [{"rows": 10**6, "seconds": 99.0}, {"rows": 4 * 10**6, "seconds": 20.0}]
    points.append({"rows": 14 * 10**6, "seconds": 60.0})
    full = preparation.extrapolated(points)
    assert full["seconds"] == pytest.approx(60 + 4e-6 * (85_316_975 - 14_000_000))
    assert preparation.extrapolated(points[:1]) is None


def test_hours_of_the_whole_table():
    rates = [40_000, 30_000, 20_000]
    epochs = [
        {"model": name, "rows": 4_000_000, "rows_per_second": rate, "seconds": 4e6 / rate}
        | {"cpu_seconds": 250.0, "peak_bytes": 2**31}
        for name, rate in zip(("mmoe", "dcrnn", "dcrnn_ada"), rates, strict=True)
    ]
    assert epoch.hours(epochs) == pytest.approx((3000 + 4000 + 6000) / 3600)
    _, table, last = epoch.blocks(epochs)
    assert "| dcrnn_ada | 200 | 20,000 | 250 | 2.0 GiB |" in unpadded(table.markdown())
    assert last == (
        "DCRNN's Table 4, 360 million row visits, would take 3.6 hours a seed at these speeds."
    )


@pytest.mark.slow
def test_an_epoch_is_one_of_every_model(tmp_path):
    epochs = epoch.measure(tmp_path, rows=5_000)
    assert [found["model"] for found in epochs] == ["mmoe", "dcrnn", "dcrnn_ada"]
    for found in epochs:
        assert found["rows_per_second"] == pytest.approx(5_000 / found["seconds"])
    assert not (tmp_path / "epoch").exists()


def test_the_table_and_its_words(tmp_path):
    report.write(results(), tmp_path)
    text = unpadded((tmp_path / "benchmark.md").read_text())
    assert "All data is synthetic" in text
    assert "| mmoe disk / mmoe naive | W | 15.00 | 10.00 to 15.00 | |" in text
    assert "| 1,000 | 5.0 | 200 | 7.0 | 1.00 GiB |" in text
    assert (tmp_path / "benchmark.png").exists()


def test_a_damaged_workload_is_named_with_what_to_do(tmp_path):
    folder = tmp_path / "W"
    folder.mkdir()
    ids, labels = np.zeros((4, 2), np.int32), np.zeros((4, 2), np.float32)
    contents = {"sizes.json": b"[5, 6]", "ids.npy": ids, "labels.npy": labels}

    def write(**others):
        for name, content in {**contents, **others}.items():
            if isinstance(content, np.ndarray):
                np.save(folder / name, content)
            else:
                (folder / name).write_bytes(content)

    write()
    sizes, found, _ = workload.load(folder)
    assert sizes == [5, 6]
    assert found.shape == (4, 2)
    for name, content, message in (
        ("sizes.json", b"[5, ", "is not JSON"),
        ("sizes.json", b'[5, "6"]', r'\[1\] is "6", expected a whole number'),
        ("ids.npy", ids[:, :1], r"has the shape \(4, 1\), expected 2 columns"),
        ("ids.npy", b"\x93NUMPY\x01\x00", "is damaged"),
        ("labels.npy", b"", "is damaged"),
    ):
        write(**{name: content})
        with pytest.raises(DatasetError, match=rf"{name} .*{message}.*; remove {folder}"):
            workload.make(folder, 10)
    (folder / "labels.npy").unlink()
    with pytest.raises(DatasetError, match=r"labels\.npy is missing; remove"):
        workload.load(folder)


def test_a_program_that_fails_or_says_something_else_is_named():
    form = json_form.Object({"seconds": json_form.FROM_0})

    def answer(program):
        return preparation.answer([sys.executable, "-c", program], form, "the program")

    assert answer("print('{\"seconds\": 2}')") == {"seconds": 2}
    with pytest.raises(UserError, match="the program failed with exit code 3"):
        answer("raise SystemExit(3)")
    with pytest.raises(UserError, match="the answer of the program is damaged: it lacks seconds"):
        answer("print('{}')")
    with pytest.raises(UserError, match="failed with exit code 1; run it alone"):
        preparation.measured("a_module_that_is_none")


def test_a_contender_counts_the_rows_of_its_window():
    program = (
        "import time\nfrom benchmarks import contender\n"
        "print('noise of a library')\n"
        "contender.serve(lambda: (print('more noise'), time.sleep(0.01)), 50)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input="0.2\n0.1\n",
        capture_output=True,
        text=True,
        check=True,
    )
    ready, first, second = map(json.loads, done.stdout.splitlines()[1:])
    assert ready == {"ready": True}
    for window in (first, second):
        seconds = sum(window["call_seconds"])
        assert window["rows_per_second"] == pytest.approx(
            50 * len(window["call_seconds"]) / seconds
        )
        assert window["rows_per_second"] <= 5_000
        assert window["peak_bytes"] > 10**6
