"""Who is in the cluster and what each says; asked by `ouroboros cluster status` and `drain`, in an own process."""

import time
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.cluster import node_actor
from pipeline.cluster.bridge_child import connect, present_nodes
from pipeline.cluster.node import name_of, own_identity, the_node
from schemas.cluster import ClusterReport, NodeAnswer, NodeIdentity, NodeReport, NodeState
from schemas.errors import BadInputError

_ANSWER_SHARE = 2 / 3
"""Of a question's time, for the nodes: Ray starts a process on each, and what plays has no core idle for it."""


def census(address: str, host: str, _name: str, limit_s: str) -> ClusterReport:
    """Every node that the head knows to live; one that does not answer within two thirds of `limit_s` is silent."""
    deadline = time.monotonic() + _ANSWER_SHARE * float(limit_s)
    connect(address, host)
    present = present_nodes()
    calls = {node["NodeID"]: _on(node, node_actor.LOOK) for node in present}
    return ClusterReport(nodes=tuple(_report(node, calls[node["NodeID"]], deadline) for node in present))


def drain(address: str, host: str, name: str, limit_s: str) -> ClusterReport:
    """Ask one node to leave once it has played what it has.

    Args:
        name: or its address; machines may be called alike.

    Raises:
        BadInputError: there is no such node, or several, or it is the head, or it does not answer.
    """
    connect(address, host)
    node = the_node(present_nodes(), name)
    if _is_head(node):
        raise BadInputError("that is the head", where=name, remedy="`ouroboros cluster stop` ends it.")
    try:
        ray.get(_on(node, node_actor.DRAIN), timeout=_ANSWER_SHARE * float(limit_s))
    except RayError as error:
        raise BadInputError("the node does not answer", where=name, remedy="Stop it on its own machine.") from error
    return ClusterReport()


def _on(node: dict[str, Any], call: Any) -> Any:
    strategy = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
    return call.options(scheduling_strategy=strategy).remote()


def _is_head(node: dict[str, Any]) -> bool:
    return "node:__internal_head__" in node["Resources"]


def _report(node: dict[str, Any], call: Any, deadline: float) -> NodeReport:
    name, address = name_of(node), str(node["NodeManagerAddress"])
    try:
        identity, says = ray.get(call, timeout=max(0.1, deadline - time.monotonic()))
    except RayError as error:
        reason = str(error).strip().splitlines()[-1][:200] if str(error).strip() else type(error).__name__
        return NodeReport(name=name, address=address, state=NodeState.SILENT, reason=reason)
    state, reason = _state(node, identity, says)
    return NodeReport(name=name, address=address, state=state, reason=reason, cores=says.cores, cpu=identity.cpu)


def _state(node: dict[str, Any], identity: NodeIdentity, says: NodeAnswer) -> tuple[NodeState, str]:
    if _is_head(node):
        return NodeState.HEAD, "Runs are here, and play here too."
    refusal = own_identity().refusal(identity, one_model=False)
    if refusal:
        return NodeState.REFUSED, refusal
    if says.decision.allowed:
        other = own_identity().refusal(identity, one_model=True)
        return NodeState.READY, f"Not for what is timed: {other}." if other else says.decision.reason
    return (NodeState.DRAINING if says.decision.code == "draining" else NodeState.GUARDED), says.decision.reason
