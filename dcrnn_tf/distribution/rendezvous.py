"""Waits until all processes of a training are there, before TensorFlow waits for them.

TensorFlow's own wait obeys no signal and has no limit that a user would live to see.
"""

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence

from dcrnn_tf.system.errors import WorkerLostError

_POLL_SECONDS = 0.2
_CONNECT_SECONDS = 2.0


def wait_for(own: str, others: Sequence[str], seconds: float) -> None:
    """Listens at this process' address until every other one has been reached at its own.

    A process that is met stays reachable: TensorFlow listens at its address from then on.

    Args:
      own: HOST:PORT of this process.
      others: HOST:PORT of each other process.
      seconds: Longest time to wait.

    Raises:
      WorkerLostError: This process cannot listen at its address, or others were not reached in
        time.
    """
    deadline = time.monotonic() + seconds
    missing = list(others)
    with _listening(own):
        while missing := [address for address in missing if not _reached(address)]:
            if time.monotonic() > deadline:
                names = " and ".join(missing)
                raise WorkerLostError(
                    f"this process at {own} has waited {seconds:g} seconds for {names}, which did "
                    "not answer; start all processes, each with its index in TF_CONFIG, and see "
                    "that they reach each other's ports"
                )
            time.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def _listening(address: str) -> Iterator[None]:
    _, port = split(address)
    with contextlib.ExitStack() as stack:
        try:
            # On all interfaces, as TensorFlow does: a name may lead to another one's address.
            family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
            stack.enter_context(
                socket.create_server(
                    ("", port),
                    family=family,
                    backlog=1024,
                    dualstack_ipv6=family == socket.AF_INET6,
                )
            )
        except OSError as error:
            raise WorkerLostError(
                f"this process cannot listen at {address} ({error.strerror}), its address in "
                "TF_CONFIG; end what uses the port, or choose another"
            ) from None
        yield


def _reached(address: str) -> bool:
    try:
        socket.create_connection(split(address), timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def split(address: str) -> tuple[str, int]:
    """Returns host and port.

    Raises:
      ValueError: It is not HOST:PORT.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} is not HOST:PORT")
    return host.strip("[]"), int(port)
