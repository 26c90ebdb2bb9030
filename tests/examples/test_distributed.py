"""The templates for clusters say what the programs take."""

import json
import pathlib
import re
import subprocess

import pytest
import yaml

from dcrnn_tf.system.settings import rules
from dcrnn_tf.training.settings import TrainingSettings
from experiments import train

FOLDER = pathlib.Path(__file__).parents[2] / "examples" / "distributed"


def test_kubernetes():
    service, job = yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    assert (service["kind"], job["kind"]) == ("Service", "Job")
    assert service["spec"]["selector"] == job["spec"]["template"]["metadata"]["labels"]
    assert pod["subdomain"] == service["metadata"]["name"]
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 2
    (worker,) = pod["containers"]
    (script,) = worker["args"]
    # The script, its program replaced by one that shows what it would have been started with.
    shown = script.replace("exec python -m experiments.train", "echo")
    done = subprocess.run(
        ["bash", "-euc", shown + 'echo "$TF_CONFIG"'],
        env={"JOB_COMPLETION_INDEX": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    flags, config = done.stdout.split("\n", 1)
    assert json.loads(config) == {
        "cluster": {
            "worker": ["dcrnn-train-0.dcrnn-workers:2222", "dcrnn-train-1.dcrnn-workers:2222"]
        },
        "task": {"type": "worker", "index": 1},
    }
    assert_known(flags.split())


@pytest.mark.parametrize(
    ("codes", "expected"), [([0], 0), ([75, 137, 0], 0), ([1], 1), ([143], 143)]
)
def test_slurm(tmp_path, codes, expected):
    """With programs in the place of Slurm's: `srun` runs one task and ends with the next code."""
    script = FOLDER / "slurm.sbatch"
    subprocess.run(["bash", "-n", script], check=True)
    assert_known(re.findall(r"--[a-z_]+=\S+", script.read_text().partition("experiments.train")[2]))
    programs = {
        "scontrol": 'printf "node1\\nnode2\\n"',
        "srun": 'shift; bash -c "${2/exec python/echo}" | tail -1 >> calls; '
        'echo "$HOSTS" >> hosts; code=$(head -1 codes); sed -i 1d codes; exit "$code"',
    }
    for name, content in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{content}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "codes").write_text("".join(f"{code}\n" for code in codes))
    path = f"{tmp_path}:/usr/bin:/bin"
    env = {"PATH": path, "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_PROCID": "0"}
    done = subprocess.run(["bash", script], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == expected, done.stderr
    assert (tmp_path / "hosts").read_text().splitlines() == ['"node1:2222","node2:2222"'] * len(
        codes
    )


def assert_known(flags):
    """Every flag is one of experiments.train."""
    known = set(rules(train.Settings)) | set(rules(TrainingSettings))
    names = [flag[2:].partition("=")[0] for flag in flags if flag.startswith("--")]
    assert {"strategy", "data_dir", "run_dir"} <= set(names)
    assert set(names) <= known
