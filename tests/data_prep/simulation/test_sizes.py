"""What simulators and preparations are said to take, beside what they take."""

import dataclasses
import pathlib
import random

import pytest

from data_prep.ali_ccp import simulate as ali_ccp_simulate
from data_prep.ali_ccp.preparation import find_files, prepare
from data_prep.ali_ccp.settings import Settings
from data_prep.ali_ccp.simulated_files import simulate
from data_prep.ali_ccp.world_settings import PRESETS
from data_prep.beam.ali_ccp import preparation as on_beam_ali_ccp
from data_prep.beam.own_log import preparation as on_beam_own_log
from data_prep.criteo.simulated_files import simulate as simulate_criteo
from data_prep.criteo.world_settings import Settings as CriteoSettings
from data_prep.own_log.declaration import load_declaration, parse_declaration
from data_prep.own_log.preparation import prepare as prepare_own_log
from data_prep.radio.simulated_files import simulate as simulate_radio
from data_prep.radio.world_settings import Settings as RadioSettings
from data_prep.simulation import sizes as simulators
from data_prep.storage import sizes as preparations
from data_prep.storage import writer as storage_writer
from data_prep.wechat.simulated_files import simulate as simulate_wechat
from data_prep.wechat.world_settings import Settings as WechatSettings
from dcrnn_tf.system import room
from dcrnn_tf.system.errors import UserError
from tests.free_room import set_free

ROWS = 5_000
ALI_CCP = dataclasses.replace(PRESETS["small"], train_rows=3 * ROWS // 5, test_rows=2 * ROWS // 5)


@pytest.fixture(scope="module")
def ali_ccp(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "ali_ccp"
    simulate(folder, ALI_CCP)
    return folder


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "radio"
    simulate_radio(folder, RadioSettings(rows=ROWS))
    return folder


def within(factor, estimate, measured):
    return measured / factor < estimate < measured * factor


def test_simulators_write_about_what_is_said(tmp_path, ali_ccp, radio):
    criteo, wechat = tmp_path / "criteo", tmp_path / "wechat"
    simulate_criteo(criteo, CriteoSettings(rows=ROWS))
    simulate_wechat(wechat, WechatSettings(rows=ROWS, feeds=500))
    for folder, need in (
        (ali_ccp, simulators.ali_ccp(ROWS, ALI_CCP.list_scale)),
        (radio, simulators.radio(ROWS)),
        (criteo, simulators.criteo(ROWS)),
        (wechat, simulators.wechat(ROWS, 500)),
    ):
        assert within(1.2, need.disk, room.size_of(folder)), folder


def test_ali_ccp_of_the_full_size_has_45_gb():
    full = PRESETS["full"]
    need = simulators.ali_ccp(full.train_rows + full.test_rows, full.list_scale)
    assert within(1.02, need.disk, 45e9)
    # The preparation reads 42 GB of it, and took 33 GB of work space and 2.05 GB of memory.
    need = preparations.ALI_CCP.need(42e9)
    assert within(1.25, need.disk, 33e9)
    assert within(1.1, need.memory, 2.05e9)


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """The bytes below the folder of the dataset when all rows lie in files, once it is written."""
    sizes = []
    finish = storage_writer.DatasetWriter.finish

    def measure(self, *args, **kwargs):
        sizes.append(room.size_of(tmp_path))
        return finish(self, *args, **kwargs)

    monkeypatch.setattr(storage_writer.DatasetWriter, "finish", measure)
    return sizes


def test_preparations_write_about_what_is_said(tmp_path, measured, ali_ccp, radio):
    prepare(ali_ccp, tmp_path / "ali_ccp", Settings())
    read = sum(preparations.raw_bytes(path) for path in ali_ccp.glob("[sc]*.csv"))
    assert within(1.3, preparations.ALI_CCP.need(read).disk, measured.pop())
    left = room.size_of(tmp_path)
    prepare_own_log(load_declaration(radio / "radio.yaml"), radio, tmp_path / "radio")
    read = sum(preparations.raw_bytes(path) for path in radio.glob("exposures*"))
    assert within(1.3, preparations.OWN_LOG.need(read).disk, measured.pop() - left)


def test_histories_take_about_what_is_said(tmp_path, measured):
    draw = random.Random(0)
    lines = [
        f"{n},{1000 + draw.randrange(250)},{1000 + draw.randrange(900)},{n % 2}"
        for n in range(10_000, 20_000)
    ]
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "log.csv").write_text("at,user,item,click\n" + "\n".join(lines) + "\n")
    history = {"kind": "multi_categorical", "history_of": "item", "by": "user", "last": 40}
    content = {
        "name": "log",
        "time": {"column": "at", "unit": "s"},
        "split": {"by": "time", "files": "log.csv", "train_until": 18_000},
        "tasks": {"click": {}},
        "fields": {"item": {"kind": "categorical"}, "seen": history, "clicked": history},
    }
    content["fields"]["clicked"] = {**history, "where": "click", "last": 20}
    left = room.size_of(tmp_path)
    prepare_own_log(parse_declaration(content, raw / "log.yaml"), raw, tmp_path / "out")
    more = preparations.histories([40, 20], 4)
    need = (0.75 * preparations.OWN_LOG.disk + more) * room.size_of(raw)
    assert within(1.3, need, measured.pop() - left)


def test_packed_files_count_as_what_is_in_them(tmp_path):
    path = tmp_path / "train.txt.gz"
    path.write_bytes(bytes(10))
    assert preparations.raw_bytes(path) == 40


def test_a_preparation_states_its_room_and_is_refused_without_it(
    tmp_path, monkeypatch, capsys, ali_ccp
):
    monkeypatch.setattr(room, "SMALL", 0)
    out = tmp_path / "new" / "prepared"
    set_free(monkeypatch, 10**5)
    with pytest.raises(
        UserError, match=r"1\.\d MB takes about 0\.\d MB to 1\.\d MB of disk, and 0\.1 MB"
    ):
        prepare(ali_ccp, out, Settings())
    with pytest.raises(UserError, match="make room there, or choose a folder on another disk"):
        prepare_own_log(load_declaration(_declared(ali_ccp, tmp_path)), tmp_path, out)
    assert not out.parent.exists()
    set_free(monkeypatch, 10**9)
    prepare(ali_ccp, out, Settings())
    assert " to 1.1 MB of disk (1.0 GB are free in" in capsys.readouterr().out


def test_a_preparation_on_beam_is_refused_without_room(tmp_path, monkeypatch, ali_ccp):
    monkeypatch.setattr(room, "SMALL", 0)
    set_free(monkeypatch, 10**5)
    out = tmp_path / "new" / "prepared"
    size = sum(path.stat().st_size for path in find_files(ali_ccp).values())
    with pytest.raises(UserError, match=f" to {1.1 * size / 1e6:.1f} MB of disk, and 0.1"):
        on_beam_ali_ccp.prepare(ali_ccp, out, Settings())
    declaration = load_declaration(_declared(ali_ccp, tmp_path))
    size = (tmp_path / "log.csv").stat().st_size
    with pytest.raises(UserError, match=f" to {1.5 * size / 1e6:.1f} MB of disk, and 0.1"):
        on_beam_own_log.prepare(declaration, tmp_path, out)
    assert not out.parent.exists()


def _declared(raw, folder):
    (folder / "log.csv").write_text("click,a\n" + "1,5\n0,6\n" * 50_000)
    path = folder / "log.yaml"
    path.write_text(
        "name: log\nsplit: {by: fraction, files: log.csv, test_fraction: 0.2}\n"
        "tasks: {click: {positive: ['1'], negative: ['0']}}\nfields: {a: {kind: categorical}}\n"
    )
    return path


def test_a_simulator_states_its_room_and_is_refused_without_it(tmp_path, monkeypatch, capsys):
    out = tmp_path / "simulated"
    output = ali_ccp_simulate.Output(str(out), "full")
    set_free(monkeypatch, 30 * 10**9)
    with pytest.raises(UserError, match=r"takes about 45\.0 GB of disk, and 30\.0 GB are free"):
        ali_ccp_simulate.main(output, ali_ccp_simulate.Changes())
    assert not list(pathlib.Path(tmp_path).iterdir())

    class Started(Exception):
        pass

    def started(*_):
        raise Started

    monkeypatch.setattr("data_prep.ali_ccp.simulated_files.simulate", started)
    set_free(monkeypatch, 60 * 10**9)
    with pytest.raises(Started):
        ali_ccp_simulate.main(output, ali_ccp_simulate.Changes())
    assert capsys.readouterr().out == (
        "This simulation takes about 45.0 GB of disk (60.0 GB are free in "
        f"{tmp_path}), 500.0 MB of memory, 10 minutes on two processor cores.\n"
    )
