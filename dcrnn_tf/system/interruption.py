"""SIGINT and SIGTERM: how a program hears of them, and how a loop ends between two steps."""

import signal
import threading

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WORDS = {signal.SIGINT: "Interrupted", signal.SIGTERM: "Terminated"}


class Interrupted(KeyboardInterrupt):
    """A signal asks the program to end.

    Attributes:
      exit_code: 128 and the signal's number, as shells have it.
    """

    def __init__(self, number: int, what: str = ""):
        what = what or "; the same command takes it up again or starts it over"
        super().__init__(f"{_WORDS[signal.Signals(number)]}{what}.")
        self.number = number
        self.exit_code = 128 + number


def raise_on_signals() -> None:
    """Lets SIGINT and SIGTERM raise `Interrupted`, wherever the program is.

    It does so once, so that the clean-up is left alone; but a second SIGINT raises again, for those
    who will not wait. A signal that the program was started to ignore, as a shell starts what shall
    run in the background, stays ignored.
    """
    _handle(_raise)


def ignore_signals() -> None:
    """Lets the program come to its end, once it has been asked to."""
    _handle(signal.SIG_IGN)


class Interruption:
    """Within this context a signal is only noted; what runs there looks for it where it can end.

    A second SIGINT raises at once, for those who will not wait.

    Attributes:
      number: of the signal that came; None while none has.
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


def _handle(handler) -> dict[int, object]:
    """Sets the handler of signals that are not ignored; returns those that were set before."""
    if threading.current_thread() is not threading.main_thread():
        return {}  # the only one that may, and the only one that signals reach
    known = {number: signal.getsignal(number) for number in _SIGNALS}
    return {
        number: signal.signal(number, handler)
        for number, before in known.items()
        if before not in (signal.SIG_IGN, None)
    }
