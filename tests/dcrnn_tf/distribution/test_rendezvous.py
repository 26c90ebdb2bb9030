"""Processes that wait for one another."""

import os
import signal
import socket
import threading
import time

import pytest

from dcrnn_tf.distribution import rendezvous
from dcrnn_tf.system import interruption
from dcrnn_tf.system.errors import WorkerLostError


@pytest.fixture
def addresses():
    """Three addresses at which nobody listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    found = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return found


def test_all_meet_in_any_order(addresses):
    met = []
    all_met = threading.Event()

    def join(number):
        time.sleep(0.3 * number)
        others = [a for a in addresses if a != addresses[number]]
        rendezvous.wait_for(addresses[number], others, 20)
        with socket.create_server(("", int(addresses[number].split(":")[1]))):  # as TensorFlow does
            met.append(number)
            if len(met) == len(addresses):
                all_met.set()
            all_met.wait(20)

    threads = [threading.Thread(target=join, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(met) == [0, 1, 2]


def test_peers_that_never_come_are_named(addresses):
    own, here, missing = addresses
    started = time.monotonic()
    with (
        socket.create_server(("127.0.0.1", int(here.split(":")[1]))),
        pytest.raises(WorkerLostError, match=f"waited 0.5 seconds for {missing}, which"),
    ):
        rendezvous.wait_for(own, [here, missing], 0.5)
    assert time.monotonic() - started < 5


def test_a_signal_is_obeyed_while_waiting(addresses):
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        interruption.raise_on_signals()
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
        started = time.monotonic()
        with pytest.raises(interruption.Interrupted):
            rendezvous.wait_for(addresses[0], addresses[1:], 60)
        assert time.monotonic() - started < 5
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_an_address_that_is_taken_is_named(addresses):
    port = int(addresses[0].split(":")[1])
    with (
        socket.create_server(("", port)),
        pytest.raises(WorkerLostError, match=f"cannot listen at {addresses[0]} "),
    ):
        rendezvous.wait_for(addresses[0], [], 1)
