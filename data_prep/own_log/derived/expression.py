"""An SQL expression of the columns of one row, as an expression of Polars.

It is read here, and not by Polars, for three reasons. Polars reads files that an expression names
while it parses it; it knows no kinds of cells, so that `"10" > "9"` would be a question of letters;
and it takes what needs more rows than one. What is read here can do none of this.
"""

import dataclasses
from collections.abc import Sequence

import polars as pl

from data_prep.own_log.derived import tokens
from data_prep.own_log.derived.calls import called, check_function, part_of
from data_prep.own_log.derived.functions import TYPE_NAMES, cast, like_pattern
from data_prep.own_log.derived.operators import (
    COMPARISONS,
    PRODUCTS,
    SUMS,
    chosen,
    comparison,
    joined,
    literal,
    number,
    opposite,
    truth,
)
from data_prep.own_log.derived.terms import NUMBER, TEXT, TRUTH, TYPES, Term
from data_prep.own_log.derived.tokens import ExpressionError, Token, tokens_of
from dcrnn_tf.system.nearest import did_you_mean

_DEEPEST = 60  # parts within each other
_RESERVED = (
    *("AND", "AS", "BETWEEN", "CASE", "ELSE", "END", "FROM", "ILIKE", "IN", "IS", "LIKE", "NOT"),
    *("OR", "OVER", "SELECT", "THEN", "WHEN", "WHERE", "WITH"),
)


@dataclasses.dataclass(frozen=True)
class Expression:
    """What an expression is.

    Attributes:
      kind: Kind of its values.
      values: The expression of Polars, of columns that `reads` names.
      reads: Column and kind of each column that `values` has, by the name it has there.
    """

    kind: str
    values: pl.Expr
    reads: dict[str, tuple[str, str]]


def parse(text: str) -> Expression:
    """Parses an expression.

    Raises:
      ExpressionError: It is not SQL, calls an unknown function, needs other rows, or its parts do
        not fit each other.
    """
    parser = _Parser(tokens_of(text))
    term = parser.whole()
    kind = term.kind or TEXT
    return Expression(kind, term.as_kind(kind), parser.reads)


class _Parser:
    """Parses by descent, each method what binds more strongly than the one before."""

    def __init__(self, words: Sequence[Token]):
        self.reads: dict[str, tuple[str, str]] = {}
        self._words = words
        self._next = 0
        self._depth = 0

    def whole(self) -> Term:
        """The whole expression."""
        term = self._either()
        if self._word.kind != tokens.END:
            if self._word.is_word("OVER"):
                raise ExpressionError("a window function (OVER) needs other rows than its own")
            raise ExpressionError(f"{self._word} is not expected")
        return term

    @property
    def _word(self) -> Token:
        return self._words[self._next]

    def _take(self) -> Token:
        word = self._word
        self._next = min(self._next + 1, len(self._words) - 1)  # the end is never passed
        return word

    def _took_word(self, *words: str) -> bool:
        found = self._word.is_word(*words)
        self._next += found
        return found

    def _took_sign(self, *signs: str) -> bool:
        found = self._word.is_sign(*signs)
        self._next += found
        return found

    def _expect(self, sign_or_word: str) -> None:
        if not (self._took_sign(sign_or_word) or self._took_word(sign_or_word)):
            raise ExpressionError(f"{self._word} stands where {sign_or_word!r} is expected")

    def _either(self) -> Term:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ExpressionError(f"more than {_DEEPEST} parts stand within each other")
        term = self._both()
        while self._took_word("OR"):
            term = truth("OR", term, self._both(), lambda x, y: x | y)
        self._depth -= 1
        return term

    def _both(self) -> Term:
        term = self._negated()
        while self._took_word("AND"):
            term = truth("AND", term, self._negated(), lambda x, y: x & y)
        return term

    def _negated(self) -> Term:
        negative = False
        while self._took_word("NOT"):
            negative = not negative
        term = self._compared()
        return opposite(term) if negative else term

    def _compared(self) -> Term:
        term = self._sum()
        while True:
            if self._word.is_sign(*COMPARISONS):
                term = comparison(term, self._take().text, self._sum())
            elif self._took_word("IS"):
                term = self._state(term)
            else:
                start = self._next
                negative = self._took_word("NOT")
                found = self._among(term)
                if found is None:
                    self._next = start
                    return term
                term = opposite(found) if negative else found

    def _state(self, term: Term) -> Term:
        """What follows IS."""
        negative = self._took_word("NOT")
        if self._took_word("NULL"):
            values = term.build(term.kind or TEXT)
            state = values.is_not_null() if negative else values.is_null()
        elif self._word.is_word("TRUE", "FALSE"):
            held = term.as_kind(TRUTH).eq_missing(pl.lit(self._take().is_word("TRUE")))
            state = ~held if negative else held
        else:
            raise ExpressionError(f"{self._word} stands where NULL, TRUE or FALSE is expected")
        return Term("IS", TRUTH, lambda _: state)

    def _among(self, term: Term) -> Term | None:
        """What follows a term with BETWEEN, IN or LIKE."""
        if self._took_word("BETWEEN"):
            low = self._sum()
            self._expect("AND")
            high = self._sum()
            above, below = comparison(term, ">=", low), comparison(term, "<=", high)
            return truth("BETWEEN", above, below, lambda x, y: x & y)
        if self._took_word("IN"):
            self._expect("(")
            equal = [comparison(term, "=", item) for item in self._list()]
            return Term(
                "IN", TRUTH, lambda _: pl.any_horizontal(one.as_kind(TRUTH) for one in equal)
            )
        if self._word.is_word("LIKE", "ILIKE"):
            flags = "(?s)" if self._take().is_word("LIKE") else "(?si)"
            pattern = f"{flags}^{like_pattern(self._literal_text())}$"
            return Term("LIKE", TRUTH, lambda _: term.as_kind(TEXT).str.contains(pattern))
        return None

    def _sum(self) -> Term:
        term = self._product()
        while self._word.is_sign(*SUMS, "||"):
            sign = self._take().text
            if sign == "||":
                term = joined([term, self._product()], ignore_nulls=False)
            else:
                term = number(sign, SUMS[sign], term, self._product())
        return term

    def _product(self) -> Term:
        term = self._signed()
        while self._word.is_sign(*PRODUCTS):
            sign = self._take().text
            term = number(sign, PRODUCTS[sign], term, self._signed())
        return term

    def _signed(self) -> Term:
        negative = False
        while self._word.is_sign("+", "-"):
            negative ^= self._take().text == "-"
        term = self._typed()
        if negative and term.kind == NUMBER and isinstance(term.value, int | float):
            return literal(f"-{term.name}", -term.value, NUMBER)
        return number("-", lambda x: -x, term) if negative else term

    def _typed(self) -> Term:
        term = self._single()
        while self._took_sign("::"):
            term = cast(term, self._type())
        return term

    def _single(self) -> Term:
        word = self._take()
        if word.kind == tokens.NUMBER:
            whole = word.text.isdigit() and len(word.text) < 19
            return literal(word.text, (int if whole else float)(word.text), NUMBER)
        if word.kind == tokens.TEXT:
            return literal(repr(word.text), word.text, TEXT)
        if word.is_sign("("):
            if self._word.is_word("SELECT", "WITH"):
                raise ExpressionError("a query (SELECT) cannot stand in an expression")
            term = self._either()
            self._expect(")")
            return term
        if word.kind == tokens.QUOTED:
            return self._column(word.text)
        if word.kind != tokens.NAME:
            raise ExpressionError(f"{word} stands where a column or a value is expected")
        if word.is_word("TRUE", "FALSE"):
            return literal(word.text, word.is_word("TRUE"), TRUTH)
        if word.is_word("NULL"):
            return Term("NULL", None, lambda kind: pl.lit(None, TYPES[kind]))
        if word.is_word("CASE"):
            return self._case()
        if word.is_word("SELECT", "WITH"):
            raise ExpressionError("a query (SELECT) cannot stand in an expression")
        if self._took_sign("("):
            return self._called(word)
        if word.is_word(*_RESERVED):
            raise ExpressionError(f"{word} stands where a column or a value is expected")
        return self._column(word.text)

    def _column(self, name: str) -> Term:
        def build(kind: str) -> pl.Expr:
            key = f"{kind} {name}"
            self.reads[key] = name, kind
            return pl.col(key)

        return Term(name, None, build)

    def _case(self) -> Term:
        """What follows CASE."""
        of = None if self._word.is_word("WHEN") else self._either()
        conditions, results = [], []
        while self._took_word("WHEN"):
            condition = self._either()
            condition = condition if of is None else comparison(of, "=", condition)
            conditions.append(condition.as_kind(TRUTH))
            self._expect("THEN")
            results.append(self._either())
        if not conditions:
            raise ExpressionError(f"{self._word} stands where 'WHEN' is expected")
        if self._took_word("ELSE"):
            results.append(self._either())
        self._expect("END")
        return chosen("CASE", conditions, results)

    def _called(self, word: Token) -> Term:
        """What follows the name of a function and its parenthesis."""
        name = word.text.upper()
        if name in ("CAST", "TRY_CAST"):
            term = self._either()
            self._expect("AS")
            term = cast(term, self._type())
            self._expect(")")
            return term
        if name == "EXTRACT":
            part = self._take()
            self._expect("FROM")
            return self._part(part.text, part)
        if name == "DATE_PART":
            name = self._literal_text()
            self._expect(",")
            return self._part(name, word)
        check_function(word)
        arguments = self._list()
        if self._word.is_word("OVER"):
            raise ExpressionError("a window function (OVER) needs other rows than its own")
        return called(name, arguments)

    def _part(self, part: str, word: Token) -> Term:
        """A part of a moment, which follows with the closing parenthesis."""
        moment = self._either()
        self._expect(")")
        return part_of(moment, part, word)

    def _list(self) -> list[Term]:
        """Terms up to the closing parenthesis."""
        terms: list[Term] = []
        if self._took_sign(")"):
            return terms
        if self._word.is_word("SELECT", "WITH"):
            raise ExpressionError("a query (SELECT) cannot stand in an expression")
        while True:
            terms.append(self._either())
            if not self._took_sign(","):
                self._expect(")")
                return terms

    def _literal_text(self) -> str:
        word = self._take()
        if word.kind != tokens.TEXT:
            raise ExpressionError(f"{word} stands where a text in quotes is expected")
        return word.text

    def _type(self) -> str:
        word = self._take()
        name = word.text.upper()
        if word.kind != tokens.NAME or name not in TYPE_NAMES:
            near = did_you_mean(name, TYPE_NAMES)
            raise ExpressionError(f"{word} stands where a type is expected{near}")
        if name == "DOUBLE":
            self._took_word("PRECISION")
        return name
