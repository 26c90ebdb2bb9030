"""Settings of the program that scores files."""

import dataclasses
import pathlib

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which rows are scored by which model."""

    files: tuple[str, ...] = required(
        "Names of the files to score, or patterns such as new_*.parquet, relative to --raw_dir."
    )
    out: str = required("Parquet file to write the scores to; must not exist.")
    run_dir: str | None = setting(None, "Folder of a run of experiments.train.")
    export_dir: str | None = setting(
        None,
        "In the place of --run_dir: folder of an exported model's versions, of which the highest "
        "one is taken.",
    )
    raw_dir: str = setting(".", "Folder that --files are relative to.")
    history_files: tuple[str, ...] = setting(
        (),
        "Files of earlier rows, such as those of the training log, of which histories are made; "
        "names or patterns relative to --declared_dir. None where files to score bring the lists.",
    )
    declared_dir: str | None = setting(
        None,
        "Folder of the log: of --history_files, and of the files that the declaration joins; "
        "--raw_dir by default.",
    )
    keys: tuple[str, ...] | None = setting(
        None,
        "Columns to write beside the scores; by default those of the files that hold single ids.",
    )
    data_dir: str | None = setting(None, "Prepared dataset; that of the run by default.")
    checkpoint: str = setting(
        "best",
        "best: the step that was best on the validation split, by what the run monitors. last: the "
        "newest checkpoint. Or the number of a step.",
    )
    max_bad_rows: int = setting(
        0, "Largest number of bad rows that are left out and counted.", lower=0
    )
    batch_size: int = setting(4096, "Number of rows that are scored at a time.", lower=1)
    threads: int = setting(
        0, "Number of processor threads that TensorFlow may use; 0 takes all.", lower=0
    )
    summary: str | None = setting(None, "JSON file to write what was counted to.")

    def check(self) -> None:
        """Checks that the scores can be written.

        Raises:
          UsageError: A file is there already or has no folder, or is to be no Parquet file; or no
            model is named, or two are.
        """
        if (self.run_dir is None) == (self.export_dir is None):
            raise command_line.UsageError("give one of --run_dir and --export_dir")
        if self.export_dir is not None and self.history_files:
            raise command_line.UsageError(
                "--history_files takes --run_dir; the rows bring their histories to an exported "
                "model, as lists of ids in a column of each field's name"
            )
        out = pathlib.Path(self.out)
        if out.suffix != ".parquet":
            raise command_line.UsageError(
                f"--out={out} must end in .parquet, the only form written"
            )
        if out.exists():
            raise command_line.UsageError(f"--out={out} exists already; remove it or name another")
        for name in ("out", "summary"):
            path = getattr(self, name)
            if path is not None and not pathlib.Path(path).absolute().parent.is_dir():
                raise command_line.UsageError(f"--{name}={path}: its folder does not exist")
