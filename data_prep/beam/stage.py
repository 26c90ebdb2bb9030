"""A stage of a preparation: one pipeline, whose small results come back to the program."""

import contextlib
import io
import os
import pathlib
import shlex
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, WorkerOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.direct.direct_runner import SwitchingDirectRunner
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.runners.runner import PipelineRunner, PipelineState, create_runner

from dcrnn_tf.system.command_line import UsageError
from dcrnn_tf.system.whole_file import full_disk, naming_file

# As Beam itself sends elements from one worker to another.
_ELEMENTS = beam.coders.FastPrimitivesCoder()

Results = Mapping[str, beam.PCollection]


def pipeline_options(text: str) -> PipelineOptions:
    """Reads what `--beam_options` says.

    Args:
      text: any options of Beam as a shell takes them, such as
        `--runner=DirectRunner --direct_num_workers=2`.

    Raises:
      UsageError: Beam does not understand one of them.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):  # argparse ends the program with a page of usage
            words = shlex.split(text)
            options = PipelineOptions(words)
            known = options.get_all_options(drop_default=False)
            create_runner(known["runner"] or StandardOptions.DEFAULT_RUNNER)
    except (SystemExit, ValueError) as error:
        reason = said.getvalue().strip().splitlines()[-1:] or [str(error)]
        raise UsageError(f"--beam_options={text!r}: {reason[0]}") from None
    for before, word in zip(["", *words], words, strict=False):
        if not word.startswith("--") and (not before.startswith("--") or "=" in before):
            raise UsageError(f"--beam_options={text!r}: {word!r} belongs to no option")
        name = word.split("=")[0]
        if name.startswith("--") and name[2:].removeprefix("no_") not in known:
            raise UsageError(f"--beam_options={text!r}: Beam has no option {name}")
    if "default_sdk_harness_log_level" not in options.get_all_options(drop_default=True):
        # Workers would report every start and end of theirs.
        options.view_as(WorkerOptions).default_sdk_harness_log_level = "WARNING"
    return options


def run_stage(
    options: PipelineOptions,
    folder: pathlib.Path,
    build: Callable[[beam.Pipeline], Results],
) -> dict[str, list]:
    """Runs a pipeline.

    Args:
      options: Options of Beam.
      folder: Folder that the workers and this program see under the same path.
      build: given the pipeline, adds the steps and returns collections, each of which one machine's
        memory can hold.

    Returns:
      The elements of each collection, in no order.

    Raises:
      OSError: there is no room on a disk.
      RuntimeError: the runner did not come to an end.
    """
    files = {}
    with _runner(options, folder) as runner:
        pipeline = beam.Pipeline(runner, options)
        for name, collection in build(pipeline).items():
            files[name] = folder / f"{name}-{uuid.uuid4().hex}.elements"
            gathered = collection | f"Gather {name}" >> beam.combiners.ToList()
            _ = gathered | f"Store {name}" >> beam.Map(_store, str(files[name]))
        try:
            state = pipeline.run().wait_until_finish()
        except Exception as error:
            if (number := full_disk(error)) is not None:
                raise OSError(number, os.strerror(number), str(folder)) from error
            raise
    if state != PipelineState.DONE:
        raise RuntimeError(f"Beam's runner ended in state {state}")
    results = {}
    for name, file in files.items():
        results[name] = _ELEMENTS.decode(file.read_bytes())
        file.unlink()
    return results


@contextlib.contextmanager
def _runner(options: PipelineOptions, folder: pathlib.Path) -> Iterator[PipelineRunner]:
    """Yields the runner; one of this machine has its temporary files below a folder meanwhile.

    Beam's `DirectRunner` first tries another runner, a program that it would download, and leaves
    folders behind where it cannot. Stages go at once to the one that it takes after that.
    """
    runner = create_runner(
        options.view_as(StandardOptions).runner or StandardOptions.DEFAULT_RUNNER
    )
    if not isinstance(runner, SwitchingDirectRunner):
        yield runner
        return
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    provision = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as temporary:
        tempfile.tempdir = temporary
        try:
            yield fn_runner.FnApiRunner(provision_info=fn_runner.ExtendedProvisionInfo(provision))
        finally:
            tempfile.tempdir = before


@contextlib.contextmanager
def replaced(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a name to write a file under, which then gets `path`.

    So any number of workers may write the same file, as they do when a step is tried again.
    """
    partial = path.with_name(f"{uuid.uuid4().hex}-{path.name}")
    try:
        with naming_file(path):
            yield partial
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    partial.rename(path)


def _store(elements: list, path: str) -> None:
    with replaced(pathlib.Path(path)) as partial:
        partial.write_bytes(_ELEMENTS.encode(elements))
