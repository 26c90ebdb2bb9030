"""The benchmark of training steps on a GPU: its bounds, its cases, its page."""

import json

import numpy as np
import pytest

from benchmarks import machine, workload
from benchmarks.gpu import __main__ as program
from benchmarks.gpu import bounds, cases, page
from dcrnn_tf import models
from dcrnn_tf.dataset.schema import CATEGORICAL, Field, Schema, Task
from dcrnn_tf.system import command_line
from tests.markdown import unpadded

FIELDS = [Field(f"field_{number}", CATEGORICAL, 50) for number in range(workload.FIELDS)]
SCHEMA = Schema("workload", tuple(FIELDS), (Task("click"), Task("conversion")), {})


@pytest.mark.parametrize("label", ["mmoe", "dcrnn"])
def test_operations_are_counted_as_they_are_worked_out(label):
    name, settings = cases.MODELS[label]
    model = models.build(name, SCHEMA, embedding_dim=workload.EMBEDDING_DIM, **settings)
    assert bounds.forward_operations(model, 8) == 8 * machine.forward_operations_per_row()[label]


def test_a_step_reads_and_writes_at_least():
    settings = {"num_experts": 2, "expert_units": [3], "tower_units": [2]}
    model = models.build("mmoe", SCHEMA, embedding_dim=4, **settings)
    ids = np.arange(2 * 23).reshape(2, 23)
    ids[1, 0] = 0  # 45 rows in 46 places
    weights = sum(v.value.shape.num_elements() for v in model.other_variables)
    numbers = 46 + 2 * 46 * 4 + 6 * 45 * 4 + 8 * weights
    experts = 2 * (92 * 3) + 2 * 92 * 2 + 2 * 2 * 3  # experts, gates, mixtures
    towers = 2 * (3 * 2 + 2)
    assert bounds.bound(model, ids) == (3 * 2 * 2 * (experts + towers), 4 * numbers)


def test_all_cases_are_there_the_plain_ones_of_float32_first():
    every = list(cases.cases(quick=False))
    assert len(every) == len(set(every)) == 4 * 4 * 2
    assert [case.label for case in every[:5]] == [
        *("mmoe float32", "dcrnn float32", "dcrnn_ada float32", "dephn float32"),
        "mmoe float32 XLA",
    ]


def test_a_machine_without_a_gpu_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [])
    with pytest.raises(command_line.UserError, match="TensorFlow finds no GPU here; install"):
        program.main(program.Settings(out_dir=str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


RESULTS = {
    "machine": {
        **{"processor": "P", "cores": 2, "tensorflow": "2.0", "keras": "3.0"},
        "python": "3.11",
    },
    "workload": {"rows": 400_000, "vocabulary": 2_500_000},
    "rates": {"device": "G", "products": {"tf32": 1e12}, "bytes_per_second": 1e11},
    "cases": [
        {
            **{"label": "mmoe tf32", "precision": "tf32", "failed": "exit code 1, no memory"},
            "steps": [
                {
                    **{"batch": 1000, "step_seconds": 0.002, "first_step_seconds": 5.0},
                    **{"operations": 5 * 10**8, "bytes": 10**8, "peak_bytes": 2**31},
                }
            ],
        }
    ],
}


def test_the_page_compares_steps_with_what_they_must_do():
    text = unpadded(page.document(RESULTS, ["dephn float16 XLA"]).markdown())
    # 0.5 Gflop at 1 Tflop/s are 0.5 ms, 0.1 GB at 100 GB/s 1 ms.
    row = "| mmoe tf32 | 1,000 | 2.00 ms | 500,000 | 25.0% | 50.0% | 5.0 s | 2.00 GiB |"
    assert row in text
    assert "400,000 rows of 23 single-valued fields, 2,500,000 embedding rows of 32" in text
    assert "Failed: mmoe tf32: exit code 1, no memory." in text
    assert "No time was left for 1 cases: dephn float16 XLA." in text


@pytest.mark.slow
def test_the_program_runs_goes_on_and_keeps_to_its_workload(tmp_path, capsys):
    settings = program.Settings(
        str(tmp_path / "out"), str(tmp_path), 40.0, True, True, (64,), 0.05, 500, 23 * 20
    )
    program.main(settings)
    results = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert [case["label"] for case in results["cases"]] == [
        *("mmoe float32", "mmoe float32 XLA", "mmoe bfloat16", "mmoe bfloat16 XLA")
    ]
    for case in results["cases"]:
        assert "failed" not in case
        (step,) = case["steps"]
        assert step["step_seconds"] > 0
    del results["cases"][1:]
    (tmp_path / "out" / "gpu.json").write_text(json.dumps(results))
    program.main(program.Settings(**{**vars(settings), "minutes": 0.0}))  # no time for another
    assert "No time was left for 3 cases" in capsys.readouterr().out
    with pytest.raises(command_line.UserError, match="is of another workload"):
        program.main(program.Settings(**{**vars(settings), "rows": 600}))
