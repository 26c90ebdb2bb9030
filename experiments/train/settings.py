"""What a training is told by flags, and what can be checked before anything is built."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import setting
from dcrnn_tf.training.metric_address import MetricAddress
from dcrnn_tf.training.settings import TrainingSettings
from experiments.runs import forms
from experiments.runs.settings import RunSettings

_AUTO, _NONE = "auto", "none"
# Settings of ways of balancing that have flags: the flag, the setting's name there, the default.
_BALANCING = {
    "fixed": ("task_weights", "weights", ()),
    "dwa": ("dwa_temperature", "temperature", 2.0),
    "gradnorm": ("gradnorm_alpha", "alpha", 1.5),
}


@dataclasses.dataclass(frozen=True)
class Settings(RunSettings):
    """What is trained on which dataset, and who trains it."""

    model: str = setting(
        "dcrnn", "Name of the model in the registry, or MODULE:CLASS of one of your own."
    )
    set: Mapping[str, object] = setting(
        {}, "A setting of the model as NAME=VALUE, such as --set=units=64."
    )
    start_vectors: Mapping[str, object] = setting(
        {},
        "Vectors from which a field's embeddings start, as FIELD=FILE: a Parquet file with the "
        "columns id and vector. See docs/own_data/fields.md.",
    )
    init_from: str | None = setting(
        None,
        "Folder of a run whose weights and moments are taken over: embeddings with their ids, new "
        "ids start fresh. The model must be the same. See docs/next_day.md.",
    )
    init_data_dir: str | None = setting(
        None, "Prepared dataset of the run of --init_from, if it was moved since."
    )
    fields: tuple[str, ...] | None = setting(None, "Names of the fields to use; all by default.")
    dataset_fingerprint: str | None = setting(
        None, "Fingerprint that the dataset must have; any by default."
    )
    mixed_precision: str = setting(
        "none",
        "bfloat16: type of products and activations; weights, tables and losses stay float32. "
        "bfloat16_products: type of large products alone. float16: as bfloat16, with a scaled "
        "loss, for GPUs that have no bfloat16.",
        choices=forms.PRECISIONS,
    )
    positive_weights: tuple[str, ...] = setting(
        (_AUTO,),
        "Factor on the loss of positive examples: auto (negatives over positives of the training "
        "split), none, or one number per binary task, comma-separated.",
    )
    balancing: str = setting(
        "sum",
        "How the tasks' losses become one gradient: sum, or another way of docs/balancing.md.",
    )
    balancing_set: Mapping[str, object] = setting(
        {}, "A setting of the way of balancing as NAME=VALUE, such as --balancing_set=alpha=2."
    )
    task_weights: tuple[float, ...] | None = setting(
        None,
        "Weights of the tasks for --balancing=fixed: one number per task, comma-separated.",
        noun="one number per task",
    )
    dwa_temperature: float | None = setting(
        None, "Temperature of --balancing=dwa, 2 by default; the larger, the more alike weights."
    )
    gradnorm_alpha: float | None = setting(
        None, "Exponent of --balancing=gradnorm, 1.5 by default: how strongly it evens the pace."
    )
    threads: int = setting(
        0, "Number of processor threads that TensorFlow may use; 0 takes all.", lower=0
    )
    strategy: str = setting(
        "none",
        "Who trains: one device; all GPUs of this machine; or the processes that TF_CONFIG names, "
        "each with this command (experiments.launch starts them on one machine). See "
        "docs/scaling.md.",
        choices=("none", "mirrored", "multi_worker"),
    )
    table_devices: tuple[str, ...] = setting(
        (),
        "Devices that take turns in holding the embedding table's shards, such as CPU:0,GPU:1 or "
        "CPU:0,/job:ps/task:0; together with --set=table_shards=N.",
    )
    parameter_servers: tuple[str, ...] = setting(
        (),
        "Addresses of experiments.parameter_server: they are the devices /job:ps/task:0 and so on.",
    )
    join_seconds: float = setting(
        600.0,
        "Seconds that a process of --strategy=multi_worker waits for the others at its start.",
        lower=0,
    )
    heartbeat_file: str | None = setting(
        None, "File that is touched once a second as long as steps are made."
    )


class Choices(NamedTuple):
    """Settings in the form in which parts of a run take them.

    Attributes:
      positive_weights: Rule, or one number per binary task, as `losses.positive_weights` takes it.
      model_settings: Settings of the model.
      balancing_settings: Settings of the way of balancing.
    """

    positive_weights: str | list[float]
    model_settings: dict
    balancing_settings: dict


def chosen(settings: Settings, training: TrainingSettings) -> Choices:
    """Reads the settings that have a form of their own, and refuses those that contradict.

    Args:
      settings: What is trained on what.
      training: Settings of the training loop.

    Raises:
      UsageError: Settings contradict each other.
      MetricAddressError: The metric to monitor is no metric.
    """
    choices = Choices(
        _positive_weights(settings.positive_weights),
        dict(settings.set),
        _balancing_settings(settings),
    )
    if training.jit_compile:
        choices.model_settings.setdefault("static_shapes", True)
    _check_strategy(settings, training)
    if training.monitor is not None:
        MetricAddress.parse(training.monitor)
    return choices


def flags_of_run(config: Mapping) -> dict:
    """The values of flags that the content of a run's config.json stands for."""
    values = dict(config)
    if "settings" in values:
        values["set"] = values.pop("settings")
    if isinstance(values.get("balancing"), dict):
        balancing = values.pop("balancing")
        values["balancing"] = balancing.get("name", "sum")
        flag, name, _ = _BALANCING.get(values["balancing"], ("", "", None))
        values |= {flag: balancing[name]} if name in balancing else {}
        others = {key: value for key, value in balancing.items() if key not in ("name", name)}
        values |= {"balancing_set": others} if others else {}
    return values


def _check_strategy(settings: Settings, training: TrainingSettings) -> None:
    if settings.strategy == "none":
        return
    refused = {
        "jit_compile": training.jit_compile,
        "steps_per_execution": training.steps_per_execution > 1,
        "table_devices": settings.table_devices,
        "parameter_servers": settings.parameter_servers,
    }
    for flag in [flag for flag, used in refused.items() if used]:
        raise command_line.UsageError(f"--strategy={settings.strategy} does not go with --{flag}")


def _positive_weights(weights: tuple[str, ...]) -> str | list[float]:
    if weights in ((_AUTO,), (_NONE,)):
        return weights[0]
    try:
        return [float(part) for part in weights]
    except ValueError:
        raise command_line.UsageError(
            f"--positive_weights={','.join(weights)} must be auto, none, or one number per task"
        ) from None


def _balancing_settings(settings: Settings) -> dict:
    """The settings of the chosen way of balancing, after defaults."""
    chosen = dict(settings.balancing_set)
    for way, (flag, name, default) in _BALANCING.items():
        value = getattr(settings, flag)
        if settings.balancing == way:
            chosen[name] = chosen.get(name, default) if value is None else value
        elif value is not None:
            raise command_line.UsageError(
                f"--{flag} belongs to --balancing={way}, not to --balancing={settings.balancing}"
            )
    return chosen
