"""Machines with a network of their own on this one: a name space for each, joined by a bridge; their packets can be
dropped in silence."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from left_out import leave_out, needed_program

BRIDGE = "ouro-br"
HERE = "10.213.77.1"
"""This machine's address among them."""
_MASK = 24


class Space:
    """One of them."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.address = f"ouro-{name}", f"10.213.77.{1 + number}"
        self._near, self._far = f"ouro-n{number}", f"ouro-f{number}"

    @property
    def inside(self) -> tuple[str, ...]:
        """What stands before a command that is to run there."""
        return "ip", "netns", "exec", self.name

    def make(self) -> None:
        """Plug it in."""
        _must("ip", "netns", "add", self.name)
        _must("ip", "link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self.name)
        _must("ip", "link", "set", self._near, "master", BRIDGE, "up")
        _must(*self.inside, "ip", "addr", "add", f"{self.address}/{_MASK}", "dev", self._far)
        for name in ("lo", self._far):
            _must(*self.inside, "ip", "link", "set", name, "up")

    def cut_off(self) -> None:
        """From now on nothing leaves it and nothing arrives, and nobody is told."""
        _must(*self.inside, "iptables", "-I", "INPUT", "-i", self._far, "-j", "DROP")
        _must(*self.inside, "iptables", "-I", "OUTPUT", "-o", self._far, "-j", "DROP")

    def dropped(self) -> int:
        """Packets that were dropped since then, both ways."""
        chains = [_must(*self.inside, "iptables", "-L", chain, "-v", "-x", "-n") for chain in ("INPUT", "OUTPUT")]
        rows = [line.split() for chain in chains for line in chain.splitlines()]
        return sum(int(row[0]) for row in rows if "DROP" in row[2:3])

    def mend(self) -> None:
        """All goes through again."""
        _must(*self.inside, "iptables", "-F")

    def remove(self) -> None:
        """Whatever there is of it."""
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False, timeout=30)
        subprocess.run(["ip", "link", "del", self._near], capture_output=True, check=False, timeout=30)


@contextmanager
def network_spaces(*names: str) -> Iterator[list[Space]]:
    """Such machines; the test is left out, in the kernel's words, where they may not be made."""
    for program in ("ip", "iptables"):
        needed_program(program, "iproute2" if program == "ip" else "")
    spaces = [Space(name, number) for number, name in enumerate(names, 1)]
    try:
        _make(spaces)
        yield spaces
    finally:
        for space in spaces:
            space.remove()
        subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True, check=False, timeout=30)


def _make(spaces: list[Space]) -> None:
    try:
        _must("ip", "link", "add", BRIDGE, "type", "bridge")
        _must("ip", "addr", "add", f"{HERE}/{_MASK}", "dev", BRIDGE)
        _must("ip", "link", "set", BRIDGE, "up")
        for space in spaces:
            space.make()
        spaces[0].cut_off()  # whether that may be done is asked before anything was started
        spaces[0].mend()
    except AssertionError as error:
        leave_out(f"no networks can be made here: {error}")


def _must(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
    return done.stdout
