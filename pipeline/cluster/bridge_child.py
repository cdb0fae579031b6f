"""`python -m pipeline.cluster.bridge_child FD ADDRESS HOST`: connects to the head, hires a player on each node, carries
games there and answers back until its run hangs up."""

import logging
import os
import sys
import threading
import time
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any

import ray

from pipeline.cluster.hiring import Hiring
from pipeline.cluster.messages import Alive, Begin, Drop, Send
from pipeline.cluster.node import name_of
from pipeline.cluster.node_client import NodeClient

LOOK_S = 2.0
"""How often it is looked who is there."""
ALIVE_S = 1.0
TURN_S = 0.05
BENCH_S = 30.0
"""A node that failed is tried again after so long."""


class _Carrier:
    """The loop. One thread; Ray is asked by nobody else."""

    def __init__(self, begin: Begin, connection: Connection) -> None:
        self._begin, self._connection = begin, connection
        self._own = ray.get_runtime_context().get_node_id()
        self._clients: dict[str, NodeClient] = {}
        self._bench: dict[str, float] = {}
        self._hiring = Hiring()
        self._looked_s = self._told_s = -LOOK_S

    def turn(self, messages: list[Any]) -> None:
        now_s = time.monotonic()
        for message in messages:
            self._obey(message)
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._look(now_s)
        self._carry()
        if now_s - self._told_s >= ALIVE_S:
            self._told_s = now_s
            self._connection.send(Alive())

    def _obey(self, message: Any) -> None:
        if isinstance(message, Send) and message.node in self._clients:
            self._clients[message.node].give(message.games, message.texts)
        elif isinstance(message, Drop):
            for client in self._clients.values():
                client.drop(message.job_id)

    def _look(self, now_s: float) -> None:
        present = {node["NodeID"]: node for node in present_nodes() if node["NodeID"] != self._own}
        for gone in [name for name in self._clients if name not in present]:
            self._clients[gone].leave("its machine or its network is gone")
            self._hiring.forget(gone)
            del self._clients[gone]
        for node, facts in present.items():
            waits = node in self._clients or self._bench.get(node, now_s) > now_s
            if not waits and not self._hiring.gave_up(node):
                client = NodeClient(node, name_of(facts), self._begin, self._connection.send, self._hiring)
                client.hire(now_s)
                self._clients[node] = client

    def _carry(self) -> None:
        calls = {client.call: client for client in self._clients.values()}
        if not calls:
            time.sleep(TURN_S)
            return
        ended, _ = ray.wait(list(calls), num_returns=1, timeout=TURN_S)
        if ended:
            ended, _ = ray.wait(list(calls), num_returns=len(calls), timeout=0)
        now_s = time.monotonic()
        for call in ended:
            calls[call].take(now_s)
        for client in self._clients.values():
            if not client.left:
                client.look(now_s)
        for node in [node for node, client in self._clients.items() if client.left]:
            del self._clients[node]
            self._bench[node] = now_s + BENCH_S


def present_nodes() -> list[dict[str, Any]]:
    """The nodes that the head takes for living."""
    asked: Any = ray.nodes
    return [node for node in asked() if node["Alive"]]


def connect(address: str, host: str) -> None:
    """Join the cluster as somebody who only asks."""
    ray.init(
        address=address,
        _node_ip_address=host,
        namespace="ouroboros",
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=False,
    )


def main() -> None:
    """Carry until the run hangs up; then end at once, and the players with it."""
    connection = Connection(int(sys.argv[1]))
    begin = connection.recv()
    messages: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_hear, args=(connection, messages), daemon=True).start()
    connection.send(Alive())
    connect(sys.argv[2], sys.argv[3])
    carrier = _Carrier(begin, connection)
    while True:
        found = []
        try:
            while True:
                found.append(messages.get_nowait())
        except Empty:
            pass
        if None in found:
            ray.shutdown()
            return
        carrier.turn(found)


def _hear(connection: Connection, messages: "SimpleQueue[Any]") -> None:
    try:
        while (message := connection.recv()) is not None:
            messages.put(message)
        messages.put(None)
    except (EOFError, OSError):
        os._exit(1)  # the run was killed: its games are nobody's


if __name__ == "__main__":
    main()
