"""The page of figures: each as PNG and SVG, and all on one page."""

import matplotlib.pyplot as plt

from experiments.tables import figure_page


def test_figures_are_written_as_files_and_on_one_page(tmp_path):
    figure, axes = plt.subplots()
    axes.plot([0, 1], [0, 1])
    shown = [figure_page.DrawnFigure("rising", "A line that rises", figure, ("It rises.",))]
    page = tmp_path / "page.html"
    figure_page.write(page, shown, "Figures", "A paper")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "page.html",
        "rising.png",
        "rising.svg",
    ]
    html = page.read_text()
    assert "A line that rises" in html
    assert "It rises." in html
    assert (tmp_path / "rising.png").read_bytes().startswith(b"\x89PNG")
    assert "</svg>" in (tmp_path / "rising.svg").read_text()
