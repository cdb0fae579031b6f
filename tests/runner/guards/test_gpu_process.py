"""The GPUs through a process of their own; the made-up driver is a real library that hangs, crashes, loses one."""

import os
import signal
import threading
import time

import pytest
from made_up_driver import MadeUpDriver, compiled

from runner.guards import gpu_process
from runner.guards.gpu_process import GpuProcess, library_is_installed
from schemas.machine import GpuFinding


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def driver(library, tmp_path, monkeypatch):
    (tmp_path / library.name).symlink_to(library)
    made_up = MadeUpDriver(tmp_path)
    for name, value in made_up.environment.items():
        monkeypatch.setenv(name, value)
    return made_up


@pytest.fixture
def looking():
    """Makes probes, and ends their processes."""
    made = []

    def make(answer_s=60.0, **patience):
        made.append(GpuProcess(answer_s=answer_s, **patience))
        return made[-1]

    yield make
    for probe in made:
        probe.close()


def until(condition):
    end_s, pause = time.monotonic() + 60, threading.Event()
    while not condition():
        assert time.monotonic() < end_s
        pause.wait(0.02)


def finds(probe, finding):
    return lambda: probe.look().finding is finding


@pytest.mark.parametrize(
    ("lines", "finding", "words"),
    [
        ([], GpuFinding.USABLE, "Made-up 0, 23.0 of 24.0 GiB free"),
        (["error memory 3"], GpuFinding.USABLE, "Made-up 0, which shares the machine's memory"),
        ([f"used {24 << 30}"], GpuFinding.BUSY, "0.0 of 24.0 GiB free, its memory is held by processes that we cannot"),
        (["count 2", "error memory 15 1"], GpuFinding.USABLE, "1 lost (GPU 1: GPU is lost)"),
        (["count 2", "error handle 15 0"], GpuFinding.USABLE, "Made-up 1, 23.0 of 24.0 GiB free, 1 lost (GPU 0"),
        (["count 2", "error uuid 15"], GpuFinding.DRIVER_BROKEN, "GPU 0: GPU is lost; GPU 1: GPU is lost"),
        (["error name 3", "error use 3", "error processes 3"], GpuFinding.USABLE, "GPU 0, 23.0 of 24.0 GiB free"),
        (["error init 999"], GpuFinding.DRIVER_BROKEN, "does not start"),
        (["count 0"], GpuFinding.ABSENT, "finds no GPU"),
    ],
)
def test_what_the_driver_says(driver, looking, lines, finding, words):
    driver.does(*lines)
    state = looking().look()
    assert (state.finding, words in state.detail) == (finding, True), state.detail


@pytest.mark.parametrize("call", ["init", "handle", "memory", "processes"])
def test_a_driver_that_hangs_is_silent_and_nobody_waits_for_it_twice(driver, looking, call):
    driver.does(f"hang {call}")
    probe = looking(answer_s=1.0)
    first = probe.look()
    assert (first.finding, first.silent_s >= 1.0) == (GpuFinding.SILENT, True)
    assert "the NVIDIA driver does not answer" in first.detail
    child = probe._process
    looks = [probe.look() for _ in range(20)]
    assert {look.finding for look in looks} == {GpuFinding.SILENT}
    assert looks[-1].silent_s >= first.silent_s
    assert probe.use_of({1}) is None
    assert probe._process is child
    probe.close()
    assert child.poll() == -signal.SIGKILL


def test_a_driver_that_begins_to_hang_is_given_up_and_asked_anew_until_it_answers(driver, looking):
    probe = looking(answer_s=1.0, give_up_s=3.0, retry_s=0.0)
    until(finds(probe, GpuFinding.USABLE))
    first = probe._process
    driver.does("hang memory")
    assert probe.look().finding is GpuFinding.SILENT
    until(lambda: probe.look().finding is GpuFinding.SILENT and first.poll() == -signal.SIGKILL)
    driver.does()
    until(finds(probe, GpuFinding.USABLE))
    assert probe.look().silent_s is None


def test_an_answer_that_comes_late_is_taken(driver, looking):
    probe = looking(answer_s=1.0)
    until(finds(probe, GpuFinding.USABLE))
    child = probe._process
    child.send_signal(signal.SIGSTOP)
    assert probe.look().finding is GpuFinding.SILENT
    child.send_signal(signal.SIGCONT)
    until(finds(probe, GpuFinding.USABLE))
    assert probe._process is child


def test_a_driver_that_crashes_its_process_is_broken_and_asked_anew(driver, looking):
    driver.does("crash memory")
    probe = looking(retry_s=0.0)
    state = probe.look()
    assert state.finding is GpuFinding.DRIVER_BROKEN
    assert "killed by signal 6" in state.detail
    assert probe.look().finding is GpuFinding.DRIVER_BROKEN
    driver.does()
    until(finds(probe, GpuFinding.USABLE))


def test_a_process_that_was_killed_is_started_anew(driver, looking):
    probe = looking(retry_s=0.0)
    assert probe.look().finding is GpuFinding.USABLE
    probe._process.kill()
    probe._process.wait(60)
    assert probe.look().finding is GpuFinding.DRIVER_BROKEN
    assert probe.look().finding is GpuFinding.USABLE


def test_the_process_ends_with_the_daemon_even_while_the_driver_hangs(driver, looking):
    driver.does("hang init")
    probe = looking(answer_s=1.0)
    probe.look()
    probe._process.stdin.close()  # as the kernel does for a daemon that was killed
    assert probe._process.wait(60) == 0


def test_several_threads_may_ask(driver, looking):
    probe, found = looking(), []

    def ask():
        found.extend(probe.look().finding for _ in range(20))
        found.append(probe.use_of({os.getpid()}))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(str, found)) == sorted(["usable"] * 80 + ["None"] * 4)


def test_without_the_library_there_is_no_process(looking, monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_process, "_LOADER_CACHE", tmp_path / "absent")
    monkeypatch.setattr(gpu_process, "_LIBRARY_FOLDERS", (str(tmp_path),))
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    probe = looking()
    assert probe.look().finding in (GpuFinding.ABSENT, GpuFinding.DRIVER_BROKEN)  # the latter with traces of a GPU
    assert probe.use_of({1}) is None
    assert probe._process is None


def test_the_library_is_found_where_the_loader_finds_it(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_process, "_LOADER_CACHE", tmp_path / "cache")
    monkeypatch.setattr(gpu_process, "_LIBRARY_FOLDERS", (str(tmp_path / "lib"),))
    assert not library_is_installed({})
    (tmp_path / "cache").write_bytes(b"glibc-ld.so.cache1.1\0libm.so.6\0libnvidia-ml.so.1\0/usr/lib/x")
    assert library_is_installed({})
    (tmp_path / "cache").unlink()
    (tmp_path / "libnvidia-ml.so.1").touch()
    assert library_is_installed({"LD_LIBRARY_PATH": f":{tmp_path}"})
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libnvidia-ml.so.1").touch()
    assert library_is_installed({})
