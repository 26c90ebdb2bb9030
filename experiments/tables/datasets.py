"""Makes the datasets of tables, by name: simulates the raw files if there are none, and prepares.

Each step leaves a folder that is complete or absent; a folder that exists is not made again.
"""

import dataclasses
import hashlib
import pathlib
import subprocess
import sys
from collections.abc import Callable

from dcrnn_tf.system import command_line, interruption
from experiments.programs import shielded
from experiments.tables.spec import Preset

_NETWORK_ROWS = 120_000  # rows that Criteo's network for confidences is to see, repeated or not


@dataclasses.dataclass(frozen=True)
class Source:
    """The way to make one prepared dataset.

    Attributes:
      raw: Name of the raw data; sources with the same raw data share its files.
      simulate: Function of a folder and of the preset's rows that writes simulated raw files.
      prepare: Function that makes the prepared dataset and returns its folder. It takes the folder
        of the raw files, the folder to make (others beside it may begin with its name), the preset,
        and whether to sample `preset.rows` rows.
      private: Whether the paper's own data are private, so that real data are always others.
    """

    raw: str
    simulate: Callable[[pathlib.Path, int], None]
    prepare: Callable[[pathlib.Path, pathlib.Path, Preset, bool], pathlib.Path]
    private: bool = False


def make(
    name: str,
    preset: Preset,
    data_dir: str | pathlib.Path | None = None,
    work_dir: str | pathlib.Path = "data",
) -> pathlib.Path:
    """Makes a dataset unless it exists.

    Args:
      name: Name of the dataset in `SOURCES`.
      preset: Number of rows, and the vocabularies' `min_count`.
      data_dir: Folder of the real raw files; the data are simulated if it is not given.
      work_dir: Folder of simulated and prepared data.

    Returns:
      The folder of the prepared dataset.

    Raises:
      UsageError: `data_dir` lacks a file.
    """
    source = SOURCES[name]
    raw, prepared = folders(name, preset, data_dir, work_dir)
    if data_dir is None:
        if preset.rows is None:
            raise command_line.UsageError("data to simulate need a number of rows; give --rows")
        if not raw.exists():
            source.simulate(raw, preset.rows)
    sample = data_dir is not None and preset.rows is not None
    return source.prepare(raw, prepared, preset, sample)


def folders(
    name: str, preset: Preset, data_dir: str | pathlib.Path | None, work_dir: str | pathlib.Path
) -> tuple[pathlib.Path, pathlib.Path]:
    """The folders of the raw and of the prepared data, by the arguments of `make`."""
    source, work = SOURCES[name], pathlib.Path(work_dir)
    if data_dir is None:
        raw = work / f"simulated_{source.raw}-{preset.rows}"
        prepared = work / f"{raw.name}-prepared"
    else:
        raw = pathlib.Path(data_dir)
        prepared = work / f"{source.raw}-{_mark(raw)}-{preset.rows or 'all'}"
    if preset.min_count != Preset.min_count:
        prepared = prepared.with_name(f"{prepared.name}-min_count_{preset.min_count}")
    if preset.validation_fraction is not None:
        prepared = prepared.with_name(f"{prepared.name}-validation_{preset.validation_fraction:g}")
    return raw, prepared


def _mark(raw: pathlib.Path) -> str:
    """A mark of the raw files, which others, and the same after a change, do not have."""
    files = [(path.name, path.stat()) for path in sorted(raw.glob("*")) if path.is_file()]
    marks = [str(raw.resolve()), *(f"{name} {s.st_size} {s.st_mtime_ns}" for name, s in files)]
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()[:8]


def call(module: str, *arguments: str) -> None:
    """Runs a program of this project in the foreground; exits with its exit code if it fails.

    After a signal it waits for that program to end, which prints the reason.
    """
    with subprocess.Popen(shielded([sys.executable, "-m", module, *arguments])) as process:
        try:
            code = process.wait()
        except interruption.Interrupted as error:
            process.terminate()  # no matter if the terminal has sent it a SIGINT already
            process.wait()
            code = error.exit_code
    if code:
        sys.exit(code)


def _simulate_ali_ccp(raw: pathlib.Path, rows: int) -> None:
    call(
        "data_prep.ali_ccp.simulate",
        f"--out_dir={raw}",
        "--preset=small",
        f"--train_rows={rows}",
        f"--test_rows={rows * 2 // 3}",
    )


def _simulator(module: str, *arguments: str) -> Callable[[pathlib.Path, int], None]:
    return lambda raw, rows: call(module, f"--out_dir={raw}", f"--rows={rows}", *arguments)


def _preparer(module: str) -> Callable[[pathlib.Path, pathlib.Path, Preset, bool], pathlib.Path]:
    """The preparation of a log whose program reads a folder and can sample rows."""

    def prepare(
        raw: pathlib.Path, prepared: pathlib.Path, preset: Preset, sample: bool
    ) -> pathlib.Path:
        if not prepared.exists():
            sampling = [f"--rows={preset.rows}"] if sample else []
            _prepare(module, prepared, preset, f"--raw_dir={raw}", *sampling)
        return prepared

    return prepare


def _criteo_preparer(
    name: str,
) -> Callable[[pathlib.Path, pathlib.Path, Preset, bool], pathlib.Path]:
    """The preparation of one of the two datasets that one program makes of a prepared Criteo."""

    def prepare(
        raw: pathlib.Path, prepared: pathlib.Path, preset: Preset, sample: bool
    ) -> pathlib.Path:
        if sample:
            raise command_line.UsageError(
                "--rows is not for the real Criteo, which is prepared with all of its rows"
            )
        if not prepared.exists():
            _prepare("data_prep.criteo", prepared, preset, f"--raw_dir={raw}")
        relations = prepared.with_name(f"{prepared.name}-relations")
        if not (relations / name).exists():
            # Few rows need more passes: a network that has learned little is sure of nothing, and
            # labels that say where its confidence is above 0 would all be 0.
            passes = 2 if preset.rows is None else max(2, -(-_NETWORK_ROWS // preset.rows))
            call(
                "data_prep.criteo.relations",
                f"--data_dir={prepared}",
                f"--out_dir={relations}",
                f"--epochs={passes}",
                "--confidence_scale=auto",  # the correlation with the unrelated task is the paper's
            )
        return relations / name

    return prepare


def _prepare_declared(
    raw: pathlib.Path, prepared: pathlib.Path, preset: Preset, sample: bool
) -> pathlib.Path:
    """Prepares a log by the declaration beside it; a prepared dataset stays as it is."""
    from dcrnn_tf.dataset.schema import SCHEMA_FILE

    if sample:
        raise command_line.UsageError(
            "--rows is not for a log of your own, which is prepared with all of its rows"
        )
    if (raw / SCHEMA_FILE).exists():
        if preset.validation_fraction is not None:
            raise command_line.UsageError(
                f"--validation_fraction is for raw files, and {raw} is a prepared dataset; prepare "
                "it anew with this share"
            )
        return raw
    if not prepared.exists():
        declarations = sorted(raw.glob("*.yaml"))
        if len(declarations) != 1:
            found = ", ".join(path.name for path in declarations) or "none"
            raise command_line.UsageError(
                f"{raw} must hold one declaration (*.yaml, see docs/own_data.md) beside its files, "
                f"or be a prepared dataset; found {found}"
            )
        # The declaration decides unless the preset has a `min_count` of its own.
        own = preset.min_count != Preset.min_count
        call(
            "data_prep.own_log",
            f"--declaration={declarations[0]}",
            f"--raw_dir={raw}",
            f"--out_dir={prepared}",
            *([f"--min_count={preset.min_count}"] if own else []),
            *_validation(preset),
        )
    return prepared


def _prepare_any(
    raw: pathlib.Path, prepared: pathlib.Path, preset: Preset, sample: bool
) -> pathlib.Path:
    """Prepares Ali-CCP's files or an own log; a prepared dataset stays as it is."""
    if any(raw.glob("sample_skeleton_train.csv*")):
        return _preparer("data_prep.ali_ccp")(raw, prepared, preset, sample)
    return _prepare_declared(raw, prepared, preset, sample)


def _prepare(module: str, prepared: pathlib.Path, preset: Preset, *arguments: str) -> None:
    flags = [f"--out_dir={prepared}", f"--min_count={preset.min_count}", *_validation(preset)]
    call(module, *arguments, *flags)


def _validation(preset: Preset) -> list[str]:
    fraction = preset.validation_fraction
    return [] if fraction is None else [f"--validation_fraction={fraction:g}"]


def _radio(raw: str, *arguments: str) -> Source:
    """The log of the radio, simulated with these flags, or an own log of two tasks."""
    simulate = _simulator("data_prep.radio.simulate", *arguments)
    return Source(raw, simulate, _prepare_declared, private=True)


_CRITEO = ("criteo", _simulator("data_prep.criteo.simulate"))

SOURCES = {
    "ali_ccp": Source(
        "ali_ccp",
        _simulate_ali_ccp,
        _preparer("data_prep.ali_ccp"),
    ),
    "any": Source("ali_ccp", _simulate_ali_ccp, _prepare_any),
    "wechat": Source(
        "wechat",
        _simulator("data_prep.wechat.simulate"),
        _preparer("data_prep.wechat"),
    ),
    "criteo_r": Source(*_CRITEO, _criteo_preparer("criteo_r")),
    "criteo_ur": Source(*_CRITEO, _criteo_preparer("criteo_ur")),
    "radio": _radio("radio"),
    **{
        f"radio_correlation_{value}": _radio(
            f"radio_correlation_{value}", "--nochained", f"--task_correlation={value}"
        )
        for value in ("0", "0.5", "0.9")
    },
    **{
        f"radio_noise_{value}": _radio(f"radio_noise_{value}", f"--feature_noise={value}")
        for value in ("0", "1", "3")
    },
}
