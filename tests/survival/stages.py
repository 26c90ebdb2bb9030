"""The programs that are to survive, on tiny data, and what each of them leaves in the end."""

import csv
import dataclasses
import io
import json
import pathlib
import re
from collections.abc import Callable, Iterator

import pandas as pd
import tensorflow as tf
import yaml
from tensorflow.core.protobuf import saved_model_pb2

from experiments.tune.study import read_trials

# What says when something was done and how fast is not promised to be the same again.
_TIMES = (
    "progress_seconds",
    "progress_processor_seconds",
    "progress_steps_timed",
    "progress_metrics_bytes",
)
_TIME_COLUMNS = ("rows_per_second", "wall_seconds")


@dataclasses.dataclass(frozen=True)
class Stage:
    """A program that is killed.

    Attributes:
      name: for the report.
      command: the program and its flags, given the folder of the inputs and the one to work in.
      outcome: what has to be the same in the end, given that folder and what the program said.
      kills: how many there shall be.
      needs: the stages whose results it reads.
      chain: kills, at most, before it is left to end.
    """

    name: str
    command: Callable[[pathlib.Path, pathlib.Path], list[str]]
    outcome: Callable[[pathlib.Path, str], object]
    kills: int
    needs: tuple[str, ...] = ()
    chain: int = 4


def flags(program: str, **values: object) -> list[str]:
    """A command line."""
    return [program, *(f"--{name}={value}" for name, value in values.items())]


def files_of(folder: pathlib.Path) -> dict[str, bytes]:
    """All files below a folder, by relative path."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _files(folder: pathlib.Path, said: str) -> object:
    return files_of(folder)


def variables(checkpoint: pathlib.Path) -> dict[str, bytes]:
    """All that a checkpoint holds, but for times."""
    reader = tf.train.load_checkpoint(str(checkpoint / "variables"))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith(_TIMES)]
    # The graph of objects lists them in an order of its own.
    names = [name for name in names if not name.startswith("_CHECKPOINTABLE")]
    return {name: reader.get_tensor(name).tobytes() for name in names}


def _run(folder: pathlib.Path, said: str = "") -> object:
    """Of a training: its figures, its newest checkpoint, the names of its files."""
    (run_dir,) = folder.iterdir()
    return _trained(run_dir)


def _trained(
    run_dir: pathlib.Path,
    same: tuple[str, ...] = ("config.json", "curves.json", "explanation.json"),
) -> object:
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("rows_per_second", None)
    result = json.loads((run_dir / "result.json").read_text())
    # A process that ends at once, as a fork does, leaves its lock's file, which locks nothing.
    names = [n for n in files_of(run_dir) if not n.startswith("tensorboard/") and n != "lock"]
    return {
        "names": names,
        "metrics": lines,
        "result": (result["steps"], result["metrics"]),
        "variables": variables(max((run_dir / "checkpoints").glob("step_*"))),
        "files": {name: (run_dir / name).read_bytes() for name in same if name in names},
    }


def _said(folder: pathlib.Path, said: str) -> object:
    """Of an evaluation: its figures."""
    return json.JSONDecoder().raw_decode(said, said.index("{\n"))[0]


def _export(folder: pathlib.Path, said: str) -> object:
    """Of an export: its weights, its signatures, and what lies beside the graph without a date."""
    (version,) = (folder / "model").iterdir()
    files = files_of(version)
    graph = saved_model_pb2.SavedModel.FromString(files["saved_model.pb"]).meta_graphs[0]
    beside = ("assets.extra/schema.json", "assets.extra/tf_serving_warmup_requests")
    return {
        "names": list(files),
        "variables": variables(version / "variables"),
        "signatures": {name: sorted(s.inputs) for name, s in graph.signature_def.items()},
        "files": {name: files[name] for name in beside},
    }


def _table(folder: pathlib.Path, said: str) -> object:
    """Of a table: the data, the table without times, and the names of its files."""
    (table,) = (folder / "table").glob("*.csv")
    lines = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    for line in lines:
        for name in _TIME_COLUMNS:
            line.pop(name)
    names = [name for name in files_of(folder / "table") if "/tensorboard/" not in name]
    return {
        "data": files_of(folder / "data"),
        "table": lines,
        "page": _without_times(table.with_suffix(".md").read_text(encoding="utf-8")),
        "names": names,
    }


def _days(folder: pathlib.Path, said: str) -> object:
    """Of a walk through days: metrics and counts of each day, each training, the files' names."""
    lines = csv.DictReader(io.StringIO((folder / "days" / "daily.csv").read_text("utf-8")))
    days = [
        {name: value for name, value in line.items() if not name.endswith("_seconds")}
        for line in lines
    ]
    names = [name for name in files_of(folder / "days") if "/tensorboard/" not in name]
    return {
        "days": days,
        "names": [name for name in names if not name.endswith("lock")],
        "runs": {
            # The configuration names the folder.
            path.relative_to(folder): _trained(path, ("curves.json", "explanation.json"))
            for path in folder.rglob("run")
            if path.is_dir()
        },
    }


def _tuning(folder: pathlib.Path, said: str) -> object:
    """Of a tuning: each trial with its values and its run, the best settings, the files' names."""
    trials = [
        {
            "state": trial.state.name,
            "values": (trial.params, trial.values, trial.intermediate_values),
            "attributes": {n: v for n, v in trial.user_attrs.items() if n != "seconds"},
        }
        for trial in read_trials(folder / "tuning")
    ]
    names = [name for name in files_of(folder) if "/tensorboard/" not in name]
    return {
        "trials": trials,
        "best": json.loads((folder / "tuning" / "best.json").read_text("utf-8")),
        "names": [name for name in names if not name.endswith("lock")],
    }


def _without_times(page: str) -> str:
    """A table's Markdown page without the section whose speeds differ each time."""
    return re.sub(r"## Size and speed\n.*?(?=\n## )", "", page, flags=re.DOTALL)


def _training(model: str, data: str, *settings: str) -> Callable:
    return lambda inputs, folder: [
        *flags(
            "experiments.train",
            data_dir=inputs / data / "out",
            run_dir=folder / "run",
            model=model,
            epochs=2,
            batch_size=256,
            log_every=3,
            checkpoint_every=5,
        ),
        *(f"--set={setting}" for setting in settings),
    ]


def _stages() -> Iterator[Stage]:
    simulations = {
        "ali_ccp": {"train_rows": 4000, "test_rows": 2000, "list_scale": 0.02},
        "criteo": {"rows": 4000, "click_rate": 0.5},
        "wechat": {"rows": 4200, "users": 300, "feeds": 300},
        "radio": {"rows": 60_000, "rows_per_file": 20_000},
        "drift": {"days": 5, "rows_per_day": 600, "users": 60, "items": 40},
    }
    for name, sizes in simulations.items():
        yield Stage(
            f"simulate_{name}",
            lambda inputs, folder, name=name, sizes=sizes: flags(
                f"data_prep.{name}.simulate", out_dir=folder / "out", **sizes
            ),
            _files,
            kills=10,
        )
    for name, kills in {"ali_ccp": 24, "wechat": 16}.items():
        yield Stage(
            f"prepare_{name}",
            lambda inputs, folder, name=name: flags(
                f"data_prep.{name}",
                raw_dir=inputs / f"simulate_{name}" / "out",
                out_dir=folder / "out",
                min_count=2,
            ),
            _files,
            kills,
            needs=(f"simulate_{name}",),
        )
    yield Stage(
        "prepare_criteo",
        lambda inputs, folder: flags(
            "data_prep.criteo",
            raw_dir=inputs / "simulate_criteo" / "out",
            out_dir=folder / "out",
            min_count=2,
        ),
        _files,
        kills=16,
        needs=("simulate_criteo",),
    )
    yield Stage(
        "criteo_relations",
        lambda inputs, folder: flags(
            "data_prep.criteo.relations",
            data_dir=inputs / "prepare_criteo" / "out",
            out_dir=folder / "out",
            epochs=1,
        ),
        _files,
        kills=16,
        needs=("prepare_criteo",),
    )
    yield Stage(
        "prepare_table",
        lambda inputs, folder: flags(
            "data_prep.own_log",
            declaration=inputs / "simulate_radio" / "out" / "radio.yaml",
            raw_dir=inputs / "simulate_radio" / "out",
            out_dir=folder / "out",
        ),
        _files,
        kills=16,
        needs=("simulate_radio",),
    )
    yield Stage(
        "prepare_histories",
        lambda inputs, folder: flags(
            "data_prep.own_log",
            declaration=_with_histories(inputs / "simulate_radio" / "out" / "radio.yaml"),
            raw_dir=inputs / "simulate_radio" / "out",
            out_dir=folder / "out",
        ),
        _files,
        kills=16,
        needs=("simulate_radio",),
    )
    # One with a virtual gradient, one that draws random numbers at every step.
    for model, data, *settings in (
        ("dephn", "prepare_ali_ccp", "embedding_dim=4", "expert_units=[8,4]"),
        ("snr", "prepare_wechat", "embedding_dim=4"),
        ("dnn", "prepare_histories", "embedding_dim=4", "hidden_units=[8]"),
    ):
        yield Stage(
            f"train_{model}", _training(model, data, *settings), _run, kills=20, needs=(data,)
        )
    yield Stage(
        "evaluate",
        lambda inputs, folder: flags(
            "experiments.evaluate", run_dir=inputs / "train_snr" / "run", split="test"
        ),
        _said,
        kills=8,
        needs=("prepare_wechat", "train_snr"),
    )
    yield Stage(
        "export",
        lambda inputs, folder: flags(
            "experiments.export",
            run_dir=inputs / "train_snr" / "run",
            export_dir=folder / "model",
            version=1,
        ),
        _export,
        kills=12,
        needs=("prepare_wechat", "train_snr"),
    )
    yield Stage(
        "table",
        lambda inputs, folder: flags(
            "experiments.reproduce",
            table="study_crossing",
            preset="smoke",
            rows=3000,
            epochs=1,
            seeds=1,
            work_dir=folder / "data",
            out_dir=folder / "table",
        ),
        _table,
        kills=24,
        chain=12,
    )

    yield Stage(
        "daily",
        lambda inputs, folder: [
            *flags(
                "experiments.daily",
                declaration=inputs / "simulate_drift" / "out" / "drift.yaml",
                raw_dir=inputs / "simulate_drift" / "out",
                out_dir=folder / "days",
                first_day="2026-01-04",
                last_day="2026-01-05",
                policies="warm",
                model="mmoe",
                epochs=1,
                batch_size=64,
                log_every=3,
                checkpoint_every=5,
            ),
            *("--set=embedding_dim=4", "--set=expert_units=[8]", "--set=tower_units=[4]"),
        ],
        _days,
        kills=8,
        needs=("simulate_drift",),
        chain=8,
    )
    yield Stage(
        "predict",
        lambda inputs, folder: flags(
            "experiments.predict",
            run_dir=inputs / "train_dnn" / "run",
            files=_new_rows(inputs / "new", inputs / "simulate_radio" / "out"),
            raw_dir=inputs / "new",
            declared_dir=inputs / "simulate_radio" / "out",
            history_files="exposures-*.csv",
            keys="author,album_id,hour",
            batch_size=1024,
            out=_made(folder / "scored") / "scores.parquet",
            summary=folder / "scored" / "scores.json",
        ),
        _files,
        kills=16,
        needs=("simulate_radio", "prepare_histories", "train_dnn"),
        chain=8,
    )
    yield Stage(
        "tune",
        lambda inputs, folder: [
            *flags(
                "experiments.tune",
                data_dir=inputs / "prepare_wechat" / "out",
                out_dir=folder / "tuning",
                model="mmoe",
                trials=3,
                epochs=2,
                batch_size=256,
                log_every=3,
                checkpoint_every=5,
            ),
            *("--set=embedding_dim=4", "--set=expert_units=[8]", "--set=tower_units=[4]"),
        ],
        _tuning,
        kills=8,
        needs=("prepare_wechat",),
        chain=8,
    )


def _made(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir(exist_ok=True)
    return folder


def _new_rows(folder: pathlib.Path, log: pathlib.Path) -> str:
    """Rows of the radio's log in files by turns of text and of numbers; a pattern of their names.

    Each file's columns are of other types than those of the one before, so that the scores are
    written file by file.
    """
    if not folder.exists():
        files = sorted(log.glob("exposures-*.csv"))
        folder.mkdir()
        for number, path in enumerate(files):
            rows = pd.read_csv(path).drop(columns=["click", "play"])
            half = len(rows) // 2
            rows[:half].to_csv(folder / f"new_{number}_a.csv", index=False)
            rows[half:].to_parquet(folder / f"new_{number}_b.parquet", index=False)
    return "new_*"


def _with_histories(path):
    """The declaration of the radio's log with histories, beside that of the simulator."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    history = {"kind": "multi_categorical", "history_of": "album_id", "by": "author", "last": 9}
    content["time"] = {"column": "hour", "unit": "s"}
    content["fields"] |= {"seen": history, "clicked": {**history, "where": "click"}}
    declared = path.with_name("histories.yaml")
    declared.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return declared


STAGES = {stage.name: stage for stage in _stages()}
