"""A shop's log and a run on it, for the programs that take trained models."""

import pytest

from experiments.runs import trained_runs
from tests.scored_shop import prepare_shop, write_shop_run


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """A folder with a log, its prepared dataset and a run."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop_run(folder / "run", prepare_shop(folder))
    return folder


@pytest.fixture(scope="session")
def run(shop):
    """The run, loaded once, so that its model is traced once."""
    return trained_runs.load(shop / "run")
