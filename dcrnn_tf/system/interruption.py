"""SIGINT and SIGTERM: errors that they raise, and loops that they end between two steps."""

import signal
import threading
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WORDS = {signal.SIGINT: "Interrupted", signal.SIGTERM: "Terminated"}


class Interrupted(KeyboardInterrupt):
    """A signal asks the program to end.

    Attributes:
      exit_code: 128 plus the signal's number, as shells report it.
    """

    def __init__(self, number: int, what: str = ""):
        what = what or "; the same command takes it up again or starts it over"
        super().__init__(f"{_WORDS[signal.Signals(number)]}{what}.")
        self.number = number
        self.exit_code = 128 + number


def raise_on_signals() -> None:
    """Makes SIGINT and SIGTERM raise `Interrupted`, wherever the program is.

    SIGTERM raises once, so that the clean-up is not disturbed; a second SIGINT raises again, for
    users who do not want to wait. A signal that the program was started to ignore, as shells do
    with background jobs, stays ignored.
    """
    _handle(_raise)


def ignore_signals() -> None:
    """Makes the program ignore further signals while it ends."""
    _handle(signal.SIG_IGN)


class Interruption:
    """A context in which a signal is only recorded, for a loop that ends where it can.

    A second SIGINT raises at once, for users who do not want to wait.

    Attributes:
      number: Number of the signal that came; None while none has.
    """

    def __init__(self):
        self.number: int | None = None

    def __enter__(self) -> "Interruption":
        self._before = _handle(self._note)
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        if self.number is not None and number == signal.SIGINT:
            raise Interrupted(number)
        self.number = self.number or number


def _raise(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Interrupted(number)


def _handle(handler) -> dict[int, Any]:
    """Sets the handler of signals that are not ignored; returns those that were set before."""
    if threading.current_thread() is not threading.main_thread():
        return {}  # signals reach the main thread alone, and it alone may set handlers
    known = {number: signal.getsignal(number) for number in _SIGNALS}
    return {
        number: signal.signal(number, handler)
        for number, before in known.items()
        if before not in (signal.SIG_IGN, None)
    }
