"""Pictures: the words that stand in them."""

import base64
import re
import warnings

import pytest
from matplotlib import font_manager

from experiments.reports import plots


def words_of(picture):
    """What a picture says, read from its comments: Matplotlib draws text as outlines."""
    svg = base64.b64decode(picture.image.partition(",")[2]).decode()
    return [comment.strip() for comment in re.findall(r"<!--(.*?)-->", svg, re.DOTALL)]


def test_heat_map_says_values_where_there_is_room():
    picture = plots.heat_map("gate", [[0.125, 0.75, 0.0]], ["click"], ["a", "b", "c"])
    assert {"gate", "click", "a", "b", "c", "0.12", "0.75", "0.00"} <= set(words_of(picture))
    spread = plots.heat_map("gate", [[0.25, 0.0]], ["click"], ["a", "b"], [[0.125, 0.0]])
    words = words_of(spread)
    assert "0.25\n±0.12" in words or {"0.25", "±0.12"} <= set(words)
    assert "0" in words  # nothing there, and nothing varies
    small = words_of(plots.heat_map("x", [[-0.0012, 0.00034]], ["r"], ["a", "b"]))
    assert {"-0.0012", "0.0003"} <= set(small)
    large = words_of(plots.heat_map("x", [[1234.5, 2.0]], ["r"], ["a", "b"]))
    assert {"1234", "2"} <= set(large)


def test_a_large_heat_map_keeps_its_labels_apart():
    names = [f"dim_{i}" for i in range(200)]
    words = words_of(plots.heat_map("large", [[i / 200 for i in range(200)]], ["row"], names))
    labels = [word for word in words if word.startswith("dim_")]
    assert labels[0] == "dim_0"
    assert 20 < len(labels) < 100
    assert not [word for word in words if re.fullmatch(r"0\.\d\d\d", word)]


@pytest.mark.parametrize("installed", [[], ["SimHei", "Comic Sans MS", "Noto Sans CJK SC"]])
def test_fonts_are_those_that_are_installed(installed, monkeypatch):
    """Matplotlib complains of a family that is not there at every picture."""
    names = ["DejaVu Sans", *installed]
    monkeypatch.setattr(font_manager, "get_font_names", lambda: names)
    plots.families.cache_clear()
    try:
        expected = ["Noto Sans CJK SC", "SimHei"] if installed else []
        assert plots.families() == ["DejaVu Sans", *expected]
    finally:
        plots.families.cache_clear()


def test_chinese_words_are_drawn_where_a_font_has_them():
    if len(plots.families()) == 1:
        pytest.skip("no font with Chinese characters is installed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a glyph that no font has
        plots.heat_map("点击", [[0.5]], ["商品"], ["类目"])
