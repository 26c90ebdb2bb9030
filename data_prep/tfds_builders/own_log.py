"""Anyone's own logs as a TFDS dataset, from a declaration.

from data_prep.tfds_builders.own_log import OwnTable, TableConfig
builder = OwnTable(config=TableConfig.of("shop.yaml"))
builder.download_and_prepare(
    download_config=tfds.download.DownloadConfig(manual_dir="folder of the files")
)
blocks = builder.as_dataset("train")
"""

import dataclasses
import pathlib

import tensorflow_datasets as tfds

from data_prep.own_log import preparation
from data_prep.own_log.declaration import Declaration, load_declaration
from data_prep.simulation.folder import read_simulation
from data_prep.tfds_builders.prepared_builder import PreparedBuilder, beam_options
from dcrnn_tf.dataset.names import ascii_names
from dcrnn_tf.dataset.schema import DatasetError, Schema


@dataclasses.dataclass(eq=False)
class TableConfig(tfds.core.BuilderConfig):
    """A declared table, its split's and shuffle's seed, and how many bad rows are tolerated."""

    declaration: Declaration | None = None
    seed: int = 0
    max_bad_rows: int = 0

    @classmethod
    def of(cls, path: str | pathlib.Path, seed: int = 0, max_bad_rows: int = 0) -> "TableConfig":
        """The configuration of the name that the declaration in a file has.

        Raises:
          DatasetError: the file is no declaration.
        """
        declaration = load_declaration(path)
        name = ascii_names([declaration.name])[declaration.name]
        return cls(name, declaration=declaration, seed=seed, max_bad_rows=max_bad_rows)


class OwnTable(PreparedBuilder):
    """A declared table, prepared as its configuration says."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "put the files there that the declaration names"

    def columns(self) -> dict[str, str]:
        """The columns on disk of a row, and their types."""
        if self.builder_config is None:
            raise DatasetError("own_table needs a declaration: config=TableConfig.of(its file)")
        schema = self.builder_config.declaration.schema
        return dataclasses.replace(schema, name=self.name).exposure_columns()

    def prepare(
        self,
        raw_dir: pathlib.Path,
        out_dir: pathlib.Path,
        download_config: tfds.download.DownloadConfig,
    ) -> Schema:
        """Prepares it, on Beam if TFDS was told anything of Beam."""
        config = self.builder_config
        # TFDS finds shards by the builder's name.
        declaration = dataclasses.replace(config.declaration, name=self.name)
        arguments = (declaration, raw_dir, out_dir, config.seed, config.max_bad_rows)
        options = beam_options(download_config)
        if options is None:
            return preparation.prepare(*arguments, read_simulation(raw_dir))
        from data_prep.beam.own_log.preparation import prepare

        return prepare(*arguments, read_simulation(raw_dir), options)
