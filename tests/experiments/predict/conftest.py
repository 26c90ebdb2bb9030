import pytest

from tests.scored_shop import prepare_shop, write_shop_run


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """A folder with a log, its prepared dataset and a run."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop_run(folder / "run", prepare_shop(folder))
    return folder
