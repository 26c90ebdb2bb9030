"""Ali-CCP as a TFDS dataset.

  import data_prep.tfds_builders.ali_ccp
  blocks = tfds.load("ali_ccp", split="train", download=True)

or `tfds build data_prep/tfds_builders/ali_ccp.py`, with `--beam_pipeline_options=...` on Beam. The
raw files lie in TFDS's manual folder, `~/tensorflow_datasets/downloads/manual/ali_ccp` unless told
otherwise (`--manual_dir`).
"""

import dataclasses
import pathlib

import tensorflow_datasets as tfds

from data_prep.ali_ccp import preparation
from data_prep.ali_ccp.chunks import ChunkedLog
from data_prep.ali_ccp.encoding import schema_fields
from data_prep.ali_ccp.settings import Settings
from data_prep.tfds_builders.prepared_builder import PreparedBuilder, beam_options
from dcrnn_tf.dataset.encodings import FIRST_ID_ROW
from dcrnn_tf.dataset.schema import Entity, Schema


@dataclasses.dataclass(eq=False)
class AliCcpConfig(tfds.core.BuilderConfig):
    """A way to prepare Ali-CCP: `settings`."""

    settings: Settings = dataclasses.field(default_factory=Settings)


class AliCcp(PreparedBuilder):
    """Ali-CCP, prepared as its configuration says."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [AliCcpConfig(name="default")]  # noqa: RUF012, as TFDS has it
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "put sample_skeleton_train.csv, sample_skeleton_test.csv, common_features_train.csv and "
        "common_features_test.csv there, each plain or as .csv.gz"
    )

    def columns(self) -> dict[str, str]:
        """The columns on disk of an exposure, and their types."""
        settings = self.builder_config.settings
        sizes = {field.name: FIRST_ID_ROW for field in settings.fields}
        fields = schema_fields(settings, sizes, ChunkedLog(pathlib.Path(), settings))
        entities = {f.entity: Entity(f.entity, 0, ()) for f in fields if f.entity}
        schema = Schema(preparation.NAME, tuple(fields), preparation.TASKS, {}, entities)
        return schema.exposure_columns()

    def prepare(
        self,
        raw_dir: pathlib.Path,
        out_dir: pathlib.Path,
        download_config: tfds.download.DownloadConfig,
    ) -> Schema:
        """Prepares it, on Beam if TFDS was told anything of Beam."""
        settings = self.builder_config.settings
        options = beam_options(download_config)
        if options is None:
            return preparation.prepare(raw_dir, out_dir, settings)
        from data_prep.beam.ali_ccp.preparation import prepare

        return prepare(raw_dir, out_dir, settings, options)
