"""Shows the part `Example:` of a docstring as code, which Griffe does of `Examples:` alone."""

import re

import griffe

_HEADING = re.compile(r"^Example:$", re.MULTILINE)


class DoctestExamples(griffe.Extension):
    """Gives that part of every docstring the heading that Griffe knows."""

    def on_object(self, *, obj: griffe.Object, **_) -> None:
        """Changes the docstring of what a module defines."""
        if obj.docstring:
            obj.docstring.value = _HEADING.sub("Examples:", obj.docstring.value)
