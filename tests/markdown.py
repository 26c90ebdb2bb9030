"""Markdown pages, as tests read them."""

import re


def unpadded(text: str) -> str:
    """A page whose tables have cells without padding, as `| a | 1 |`."""
    return re.sub(r"(?<=\|) {2,}| {2,}(?=\|)", " ", text)
