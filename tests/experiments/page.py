"""HTML pages, as tests read them."""

import base64
import html.parser
import xml.etree.ElementTree


class Page(html.parser.HTMLParser):
    """What a reader gets of a page: tags with attributes, cells, text."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text()
        self.tags, self.cells, self.text = [], [], ""
        self._in_cell = False
        self.feed(self.source)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._in_cell = tag in ("td", "th")

    def handle_endtag(self, tag):
        self._in_cell = False

    def handle_data(self, data):
        self.text += data
        if self._in_cell:
            self.cells.append(data)

    def svgs(self):
        """The pictures' sources."""
        sources = [attributes["src"] for tag, attributes in self.tags if tag == "img"]
        return [base64.b64decode(source.partition(",")[2]).decode() for source in sources]

    def images(self):
        """`{description: SVG root}`; an image from anywhere but the page itself fails."""
        prefix = "data:image/svg+xml;base64,"
        found = {}
        for tag, attributes in self.tags:
            if tag == "img":
                assert attributes["src"].startswith(prefix)
                svg = base64.b64decode(attributes["src"].removeprefix(prefix))
                found[attributes["alt"]] = xml.etree.ElementTree.fromstring(svg)
        return found
