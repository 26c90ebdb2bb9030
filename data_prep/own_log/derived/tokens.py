"""The words of an SQL expression."""

import dataclasses
import re

END, NAME, QUOTED, NUMBER, TEXT, SIGN = "end", "name", "quoted name", "number", "text", "sign"
LONGEST = 10_000  # characters of an expression
_PATTERNS = {
    "comment": r"--|/\*",
    NUMBER: r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?!\w)",
    TEXT: r"'(?:[^']|'')*'",
    QUOTED: r'"(?:[^"]|"")*"|`(?:[^`]|``)*`',
    NAME: r"[^\W\d]\w*",
    SIGN: r"<>|<=|>=|!=|==|\|\||::|//|[<>=+\-*/%(),]",
    "space": r"\s+",
}
_WORD = re.compile("|".join(f"(?P<g{n}>{p})" for n, p in enumerate(_PATTERNS.values())))


class ExpressionError(ValueError):
    """An expression that cannot be used; the message says why."""


@dataclasses.dataclass(frozen=True)
class Token:
    """One word.

    Attributes:
      kind: Kind of the word.
      text: The word as it is written; of a quoted name or a text, what stands in the quotes.
      at: Number of its first character in the expression, from 1.
    """

    kind: str
    text: str
    at: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of words that are written without quotes, in any case."""
        return self.kind == NAME and self.text.upper() in words

    def is_sign(self, *signs: str) -> bool:
        """Whether it is one of signs."""
        return self.kind == SIGN and self.text in signs

    def __str__(self) -> str:
        return "the end" if self.kind == END else f"{self.text!r} at character {self.at}"


def tokens_of(expression: str) -> list[Token]:
    """Returns the words of an expression; the last one is its end.

    Raises:
      ExpressionError: It holds something that is no word.
    """
    if len(expression) > LONGEST:
        raise ExpressionError(f"it has {len(expression):,} characters, allowed are {LONGEST:,}")
    tokens, at, kinds = [], 0, list(_PATTERNS)
    while at < len(expression):
        match = _WORD.match(expression, at)
        if match is None:
            advice = '; put names with other characters in quotes, "like this"'
            raise ExpressionError(f"{expression[at]!r} at character {at + 1} is no word{advice}")
        kind, text = kinds[int((match.lastgroup or "")[1:])], match.group()
        if kind == "comment":
            raise ExpressionError(f"{text!r} at character {at + 1} would begin a comment")
        if kind in (TEXT, QUOTED):
            text = text[1:-1].replace(2 * text[0], text[0])
        if kind != "space":
            tokens.append(Token(kind, text, at + 1))
        at = match.end()
    return [*tokens, Token(END, "", len(expression) + 1)]
