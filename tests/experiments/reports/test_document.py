"""One page in three forms: which parts each form has, in which order, and that text stays text."""

import csv
import dataclasses
import html.parser
import io
import re

import pytest

from experiments.reports.blocks import Bullets, Facts, Links, Picture, Pictures
from experiments.reports.document import Document, Section
from experiments.reports.grid import Grid, Interval, Number, Text
from experiments.reports.markdown import Trusted, escape

SPEEDS = Grid("Speeds", (Text("model"), Number("paper: mean", form=".1f")), [("A", 1.25)])
PAGE = Document(
    "Title",
    Section("In short", [SPEEDS]),
    [
        Section("Words", ["A paragraph.", Bullets(["One.", "Two."]), Facts([("cores", "2")])]),
        Section("Seen", [Pictures([Picture("a line", "data:image/svg+xml;base64,AA==")], "Dots.")]),
        Section("Linked", [Links([("runs", [("seed 1", "runs/1.html")])])]),
        Section("Looked at", ["On the HTML page."], only="html"),
        Section("Printed", ["On the Markdown page."], only="markdown"),
        Section("Nothing", []),
    ],
    warning="Simulated data",
    remark="The figures are of other data.",
    source="After: A paper",
    incomplete=["A: seed 1 not run", "B: seed 2 not run"],
    data=dataclasses.replace(SPEEDS, columns=(Text("model"), Number("mean", key="auc"))),
)


class Parts(html.parser.HTMLParser):
    """The texts of a page with the elements that they stand in, from `h1` on."""

    def __init__(self, source):
        super().__init__()
        self.parts, self.tags, self._open = [], [], []
        self.feed(source[source.index("<body>") :].removesuffix("</html>"))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open.pop() != tag:  # an element without an end, such as an image
            pass

    def handle_data(self, data):
        if data.strip():
            self.parts.append((self._open[-1], data.strip()))


def test_markdown_has_what_can_be_read_as_plain_text():
    assert PAGE.markdown() == (
        "**Simulated data.** The figures are of other data.\n\n"
        "# Title\n\n"
        "**Incomplete.** A: seed 1 not run; B: seed 2 not run.\n\n"
        "| model | paper: mean |\n"
        "| ----- | ----------: |\n"
        "| A     |         1.2 |\n\n"
        "After: A paper.\n\n"
        "## Words\n\n"
        "A paragraph.\n\n"
        "- One.\n- Two.\n\n"
        "- cores: 2\n\n"
        "## Printed\n\n"
        "On the Markdown page.\n"
    )


def test_html_has_the_same_with_pictures_and_links():
    page = Parts(PAGE.html())
    assert page.parts == [
        *(("strong", "Simulated data"), ("p", ". The figures are of other data.")),
        *(("h1", "Title"), ("p", "After: A paper")),
        *(("strong", "Incomplete."), ("p", "A: seed 1 not run; B: seed 2 not run.")),
        *(("h2", "In short"), ("th", "model"), ("th", "paper: mean"), ("td", "A"), ("td", "1.2")),
        *(("h2", "Words"), ("p", "A paragraph."), ("li", "One."), ("li", "Two.")),
        *(("dt", "cores"), ("dd", "2")),
        *(("h2", "Seen"), ("p", "Dots.")),
        *(("h2", "Linked"), ("dt", "runs"), ("a", "seed 1")),
        *(("h2", "Looked at"), ("p", "On the HTML page.")),
    ]
    assert ("img", {"src": "data:image/svg+xml;base64,AA==", "alt": "a line"}) in page.tags
    assert ("a", {"href": "runs/1.html"}) in page.tags
    classes = [attributes["class"] for tag, attributes in page.tags if tag in ("th", "td")]
    assert classes == ["text", "figure paper"] * 2


def test_a_page_of_nothing_but_a_title():
    page = Document("Title", Section("", []))
    assert page.markdown() == "# Title\n"
    assert Parts(page.html()).parts == [("h1", "Title")]


def test_csv_has_values_as_they_are():
    data = Grid("", (Text("model"), Number("mean", form=".1f"), Interval("auc")), [])
    lines = [('A,\n"b"', 1 / 3, (0.5, 1.5)), ("=1+1", None, None)]
    text = dataclasses.replace(PAGE, data=dataclasses.replace(data, lines=lines)).csv()
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == [
        {"model": 'A,\n"b"', "mean": str(1 / 3), "auc_low": "0.5", "auc_high": "1.5"},
        {"model": "=1+1", "mean": "", "auc_low": "", "auc_high": ""},
    ]


def test_a_file_is_of_the_form_that_its_suffix_names(tmp_path):
    PAGE.write(*(tmp_path / f"page.{suffix}" for suffix in ("md", "html", "csv")))
    texts = {path.suffix: path.read_text("utf-8") for path in tmp_path.iterdir()}
    assert texts == {".md": PAGE.markdown(), ".html": PAGE.html(), ".csv": PAGE.csv()}
    with pytest.raises(KeyError):
        PAGE.write(tmp_path / "page.pdf")
    with pytest.raises(ValueError, match="the page 'Title' has no data for CSV"):
        dataclasses.replace(PAGE, data=None).write(tmp_path / "other.csv")
    assert not (tmp_path / "other.csv").exists()


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b *c* `d` [e](f) \\", r"a\|b \*c\* \`d\` \[e\](f) " + "\\\\"),
        ("<b> 1 < 2 &amp; R&D, 3 & 4", r"\<b> 1 < 2 \&amp; R\&D, 3 & 4"),
        ("_em_ click_rate __x__", r"\_em\_ click_rate \__x_\_"),
        ("a\nb\t c", "a b c"),
        ("# heading", r"\# heading"),
        ("> quote", r"\> quote"),
        (Trusted("`code`"), "`code`"),
    ],
)
def test_markdown_takes_text_literally(text, escaped):
    assert escape(text) == escaped


def test_hostile_text_is_text_in_every_form():
    evil = "<script>alert(1)</script>\"'&|`*_[x](javascript:alert(1))<img src=x onerror=a>\n# b"
    grid = Grid(evil, (Text(evil), Number(f"paper{evil}"), Interval(evil)), [(evil, evil, None)])
    wide = Grid(evil, [Text(evil)] * 11, [[evil] * 11])
    blocks = [
        evil,
        grid,
        wide,
        Bullets([evil]),
        Facts([(evil, evil)]),
        Links([(evil, [(evil, "")])]),
    ]
    blocks.append(Pictures([Picture(evil, "data:,")], evil))
    words = {"warning": evil, "remark": evil, "source": evil, "incomplete": [evil]}
    page = Document(evil, Section(evil, blocks), [Section(evil, blocks)], **words, data=grid)
    tags = {tag for tag, _ in Parts(page.html()).tags}
    assert not tags & {"script", "svg", "iframe"}
    assert all(not name.startswith("on") for _, a in Parts(page.html()).tags for name in a)
    plain = re.sub(r"\\.", "", page.markdown())
    assert "<" not in plain
    assert "](" not in plain
    assert "\n# b" not in plain
    assert [row for row in csv.reader(io.StringIO(page.csv(), newline=""))][1] == [
        evil,
        evil,
        "",
        "",
    ]
