"""How long a node may take to start a player, and how often it is asked: a machine full of other work starts one late,
for Ray gives its workers what others leave."""

from dataclasses import dataclass, field

HIRE_S = 60.0
"""Ray starts a process, which imports what plays."""
TRIES = 4
"""Each may take twice as long as the one before: the last one eight minutes."""


@dataclass
class Hiring:
    """Who missed the deadline how often in a row."""

    _missed: dict[str, int] = field(default_factory=dict)

    def limit_s(self, node: str) -> float:
        """What this node's next try may take."""
        return HIRE_S * 2.0 ** self._missed.get(node, 0)

    def gave_up(self, node: str) -> bool:
        """Whether it is not asked again; a node that joins anew is another one."""
        return self._missed.get(node, 0) >= TRIES

    def missed(self, node: str) -> str:
        """It did not answer in time: what to say of it."""
        limit_s = self.limit_s(node)
        self._missed[node] = self._missed.get(node, 0) + 1
        if not self.gave_up(node):
            return f"it did not answer within {limit_s:g} s; it is given {self.limit_s(node):g} s the next time"
        return (
            f"it did not answer within {limit_s:g} s, the last of {TRIES} tries; it is asked again once it has joined"
            " anew (busy with other work? RAY_worker_niceness=0 in its environment lets players start beside it)"
        )

    def answered(self, node: str) -> None:
        """It plays."""
        self._missed.pop(node, None)

    def forget(self, node: str) -> None:
        """It has gone."""
        self._missed.pop(node, None)
