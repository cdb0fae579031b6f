"""A loop that sleeps is woken from anywhere."""

import signal
import threading

from runner.clock import WakeEvent


def test_a_call_before_the_sleep_ends_it_and_is_used_up():
    wake = WakeEvent()
    wake.set()
    wake.set()
    wake.sleep(3600)
    wake.sleep(0)
    wake.sleep(-1)


def test_a_sleeper_is_woken_by_another_thread_and_by_a_signal_handler():
    wake = WakeEvent()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: wake.set())
    try:
        threading.Timer(0.05, wake.set).start()
        wake.sleep(3600)
        for _ in range(100):
            signal.raise_signal(signal.SIGUSR1)
            wake.sleep(3600)
    finally:
        signal.signal(signal.SIGUSR1, before)
