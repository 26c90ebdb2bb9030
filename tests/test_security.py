"""The code runs nothing that data brings along, reaches no network, and writes where it is told."""

import ast
import csv
import html.parser
import json
import pathlib
import re
import xml.etree.ElementTree

import numpy as np
import pytest

from data_prep.own_log.declaration import load_declaration, parse_declaration
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.storage.writer import DatasetWriter
from dcrnn_tf.dataset.schema import (
    CATEGORICAL,
    NUMERIC,
    DatasetError,
    Entity,
    Field,
    Schema,
    Shard,
    Split,
    Task,
    load_schema,
)
from dcrnn_tf.dataset.vocabulary import load_vocabulary
from experiments.reports import plots
from experiments.reports.blocks import Bullets, Facts, Pictures
from experiments.reports.document import Document, Section
from experiments.runs.pages import report as run_report
from experiments.tables import report as table_report
from experiments.tables.result import aggregate
from experiments.tables.spec import Row, Table
from tests.experiments.run_folders import write_run

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("dcrnn_tf", "data_prep", "experiments", "benchmarks")
# What runs code that a file holds, unpacks archives to paths that they name, or reaches a network.
MODULES = {
    *("pickle", "cPickle", "_pickle", "cloudpickle", "marshal", "shelve", "dill", "joblib", "dbm"),
    *("tarfile", "zipfile", "code", "codeop", "pty"),
    *("urllib", "requests", "socket", "socketserver", "http", "httpx", "aiohttp", "ssl", "ftplib"),
    *("smtplib", "imaplib", "poplib", "telnetlib", "xmlrpc", "webbrowser", "asyncio", "websocket"),
}
CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "os.execvp"),
    "runpy.run_path",
    *(
        "yaml.unsafe_load",
        "yaml.full_load",
        "yaml.load_all",
        "pd.read_pickle",
        "pandas.read_pickle",
    ),
    *("shutil.unpack_archive", "tf.keras.utils.get_file", "keras.utils.get_file"),
    "keras.config.enable_unsafe_deserialization",
}
# Processes of one training meet there before TensorFlow connects them.
EXPECTED = ["dcrnn_tf/distribution/rendezvous.py, 7: imports socket"]
KEYWORDS = ("shell", "allow_pickle", "safe_mode", "Loader")


def modules():
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def faults(tree):
    """What a module must not do, as `line: what`."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name.partition(".")[0] in MODULES and name != "urllib.parse":  # it reads nothing
                yield f"{node.lineno}: imports {name}"
        if isinstance(node, ast.Call):
            yield from (f"{node.lineno}: {what}" for what in _faults_of_call(node))


def _faults_of_call(node):
    name = ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""
    given = {k.arg: ast.unparse(k.value) for k in node.keywords if k.arg in KEYWORDS}
    if name in CALLS:
        yield f"calls {name}"
    if given.get("shell", "False") != "False":
        yield "runs a shell"
    if name in ("np.load", "numpy.load") and given.get("allow_pickle") != "False":
        yield "np.load without allow_pickle=False"
    if name.endswith("load_model") and given.get("safe_mode") != "True":
        yield "load_model without safe_mode=True"
    if given.get("safe_mode", "True") != "True":
        yield "turns Keras' safe mode off"
    if name == "yaml.load":
        loader = given.get("Loader") or (ast.unparse(node.args[1]) if len(node.args) > 1 else "")
        if loader not in ("yaml.SafeLoader", "_UniqueKeyLoader"):
            yield "yaml.load with a loader that is not safe"
    if name.endswith(("extractall", "unpack_archive")):
        yield "unpacks an archive"


def test_no_module_runs_what_data_brings_along():
    found = [
        f"{path.relative_to(ROOT)}, {fault}"
        for path in modules()
        for fault in faults(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == EXPECTED
    assert len(modules()) > 100


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from urllib.request import urlopen",
        "import urllib",
        "import http.client as c",
        "eval(text)",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "keras.models.load_model(path)",
        "keras.saving.load_model(path, safe_mode=False)",
        "yaml.load(text, yaml.Loader)",
        "yaml.load(text)",
        "archive.extractall(folder)",
    ],
)
def test_each_of_these_would_be_found(line):
    assert list(faults(ast.parse(line)))


def test_the_loader_of_declarations_is_a_safe_one(tmp_path):
    tree = ast.parse((ROOT / "data_prep" / "own_log" / "yaml_json.py").read_text())
    loaders = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and "Loader" in n.name]
    assert [[ast.unparse(base) for base in loader.bases] for loader in loaders] == [
        ["yaml.SafeLoader"]
    ]
    path, trace = tmp_path / "declaration.yaml", tmp_path / "trace"
    path.write_text(f"name: !!python/object/apply:pathlib.Path.touch [{trace}]")
    with pytest.raises(DatasetError, match="is not YAML"):
        load_declaration(path)
    assert not trace.exists()


# Names that leave a folder, or that no file system or page should meet.
OUTSIDE = ["../x", "/x", "..", "a/b", "a\\b", "C:x", "", ".", "a\0b", "x\n"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_of_folders_that_are_no_plain_names_are_refused(name):
    for make in (lambda: Split(name, 0, {}, {}, ()), lambda: Entity(name, 0, ())):
        with pytest.raises(DatasetError, match="is not a valid identifier"):
            make()


UNPRINTABLE = ["", " ", "\u3000", "a\0b", "x\n", "\x1b[2Jx", "x\u2028", "\ud800"]


@pytest.mark.parametrize("name", UNPRINTABLE)
def test_names_that_cannot_be_printed_are_refused(name):
    for make in (Task, lambda name: Field(name, NUMERIC), lambda name: Schema(name, (), (), {})):
        with pytest.raises(DatasetError, match="choose one of printable characters") as refused:
            make(name)
        assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "file", ["../x", "/etc/passwd", "user/../../x", "..", "", "a\\..\\b", "C:x"]
)
def test_shards_outside_the_folder_are_refused(file):
    with pytest.raises(DatasetError, match="not a path within the dataset's folder"):
        Shard(file, 1, 1, 1, "ab")
    assert Shard("user/user-train.tfrecord-00000-of-00001", 1, 1, 1, "ab")


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", ".."])
def test_nothing_is_written_outside_by_a_name(name, tmp_path):
    folder = tmp_path / "out" / "dataset"
    folder.parent.mkdir()
    entity = Field("age", CATEGORICAL, 5, entity=name)
    with pytest.raises(DatasetError, match="is not a valid identifier"):
        DatasetWriter(folder, "d", (entity,), [Task("click")], seed=0)
    assert not folder.exists()
    with DatasetWriter(folder, name, (Field(name, CATEGORICAL, 5),), [Task("click")], 0) as writer:
        writer.add_vocabulary(name, np.arange(3), np.ones(3))
        writer.add_rows("train", {name: np.arange(5), "click": np.arange(5) % 2})
        writer.finish({}, {}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["dataset"]
    assert len(list((folder / "vocabularies").iterdir())) == 1
    assert load_vocabulary(folder, load_schema(folder).fields[0]).size == 5


EVIL = "<script>alert(1)</script>\"'&|`*_[x](javascript:alert(1))<img src=x onerror=alert(1)>"
EVIL_TABLE = Table(
    name="evil",
    title=EVIL,
    source=EVIL,
    dataset=EVIL,
    tasks=(f"click{EVIL}", "like"),
    columns=("mean",),
    baseline=EVIL,
    rows=(Row(EVIL, "mmoe", paper={"like": {"mean": 0.5}}), Row(f"other {EVIL}", "dcrnn")),
)


class Tags(html.parser.HTMLParser):
    """The elements of a page, its text, and its attributes that run code or fetch anything."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.running, self.text = set(), [], ""
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        for name, value in attributes:
            harmless = value is None or not re.match(r"\s*(javascript|http|//|data:text)", value)
            if name.startswith("on") or not harmless:
                self.running.append((tag, name, value))

    def handle_data(self, data):
        self.text += data


def evil_run(folder, seed, table, row):
    aucs = {task: 0.6 + seed / 100 for task in table.tasks}
    explanation = {
        EVIL: {"rows": [EVIL], "columns": [f"field_{EVIL}"], "mean": [[0.5]], "std": [[0.1]]}
    }
    write_run(
        table.run_dir(folder, row, seed),
        aucs,
        seed=seed,
        model=row.model,
        settings={EVIL: EVIL, "units": [EVIL]},
        name=EVIL,
        fingerprint=EVIL,
        statistics={EVIL: 0.5},
        explanation=explanation,
        fields=[EVIL],
        data_dir=EVIL,
        simulated=False,
    )
    # What the helper fixes: everything else that a run says of itself.
    path = table.run_dir(folder, row, seed) / "run.json"
    record = json.loads(path.read_text())
    counts = record["dataset"]["rows"]
    record |= {"command": EVIL, "code": {EVIL: EVIL}, "started": EVIL, "versions": {EVIL: EVIL}}
    record["machine"] = {"cores": EVIL, "processor": EVIL, "memory_gib": EVIL}
    record["dataset"]["positives"] = {s: dict.fromkeys(table.tasks, 7) for s in counts}
    record["dataset"]["simulation"] = {"seed": EVIL, "settings": {EVIL: EVIL}}
    path.write_text(json.dumps(record))


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evil")
    for row in EVIL_TABLE.rows:
        for seed in (1, 2):
            evil_run(folder, seed, EVIL_TABLE, row)
    return folder, aggregate(EVIL_TABLE, folder, seeds=[1, 2, 3])


def check_page(path):
    tags = Tags(path.read_text(encoding="utf-8"))
    assert tags.running == []
    assert not tags.tags & {"script", "iframe", "object", "embed", "link", "base", "form", "svg"}
    assert EVIL in tags.text


def test_a_runs_report_shows_what_data_hold_as_text(evil):
    folder, _ = evil
    check_page(run_report.write(EVIL_TABLE.run_dir(folder, EVIL_TABLE.rows[0], 1)))


def test_all_forms_of_a_tables_page_show_what_data_hold_as_text(evil):
    folder, result = evil
    table_report.write(result, folder)
    check_page(folder / "report.html")
    with open(folder / "evil.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["row"] for line in lines[::2]] == [EVIL, f"other {EVIL}"]
    assert {line["fingerprint"] for line in lines} == {EVIL}
    text = (folder / "evil.md").read_text(encoding="utf-8")
    # A tag, a link or a pipe of the data is one after a backslash; a backslash of theirs is two.
    plain = re.sub(r"\\.", "", text)
    assert "<" not in plain
    assert "](" not in plain
    cells = {line.count("|") for line in plain.splitlines() if line.startswith("|")}
    rules = [line for line in text.splitlines() if re.fullmatch(r"\|[ :|-]+\|", line)]
    assert cells == {rule.count("|") for rule in rules}


def test_a_figures_page_shows_what_data_hold_as_text(tmp_path):
    picture = plots.lines(EVIL, {EVIL: [([1, 2], [0.1, 0.2])]}, EVIL, EVIL)
    section = Section(EVIL, [Bullets([EVIL]), Facts([(EVIL, EVIL)]), Pictures([picture], EVIL)])
    words = {"warning": EVIL, "remark": EVIL, "source": EVIL, "incomplete": [EVIL]}
    Document(EVIL, section, [section], **words).write(tmp_path / "page.html")
    check_page(tmp_path / "page.html")


def test_pictures_hold_what_data_hold_as_text():
    import base64

    picture = plots.lines(EVIL, {EVIL: [([1, 2], [0.1, 0.2])]}, EVIL, EVIL)
    svg = base64.b64decode(picture.image.partition(",")[2])
    elements = {
        node.tag.rpartition("}")[2] for node in xml.etree.ElementTree.fromstring(svg).iter()
    }
    assert elements
    assert not elements & {"script", "foreignObject", "a", "image", "animate"}
    assert b"<script" not in svg


def test_declared_files_may_be_read_anywhere_below_a_relative_path(tmp_path):
    data, beside = tmp_path / "data", tmp_path / "beside"
    for folder in (data, beside):
        folder.mkdir()
        (folder / "log.csv").write_text("click,x\n1,a\n0,b\n")

    def rows(files):
        content = {
            "name": "d",
            "split": {"by": "fraction", "files": files, "test_fraction": 0.5},
            "fields": {"x": {"kind": "categorical"}},
            "tasks": {"click": {}},
        }
        table = LogRows(parse_declaration(content, tmp_path / "d.json"), data, 0, 0)
        return sum(frame.height for frame, _, _ in table.read(lambda count: None))

    assert rows("*.csv") == 2
    assert rows("../beside/*.csv") == 2  # the user's own choice
    for pattern in (str(beside / "log.csv"), "/etc/*", "a\0b"):
        with pytest.raises(DatasetError):
            rows(pattern)
