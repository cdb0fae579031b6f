"""Two raylets that speak TLS with certificates of one authority: the games of one machine, and nobody reads them."""

import importlib.util
import socket
import ssl
from pathlib import Path

import backend_contract as contract
import pytest
import trustme
from cluster_world import World, here, job, until

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray (the extra `cluster`)")
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "localhost")


def encrypted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `deploy/SCALING.md` says under Ray's TLS; the authority's certificate."""
    authority = trustme.CA()
    issued = authority.issue_cert(*ADDRESSES)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued.private_key_pem.write_to_path(folder / "node.key")
    issued.cert_chain_pems[0].write_to_path(folder / "node.pem")
    monkeypatch.setenv("RAY_USE_TLS", "1")
    monkeypatch.setenv("RAY_TLS_CA_CERT", str(folder / "ca.pem"))
    monkeypatch.setenv("RAY_TLS_SERVER_CERT", str(folder / "node.pem"))
    monkeypatch.setenv("RAY_TLS_SERVER_KEY", str(folder / "node.key"))
    return folder / "ca.pem"


def speaks_tls(host: str, port: int, authority: Path) -> str:
    """The version of TLS that is spoken there, to somebody whom the authority knows."""
    context = ssl.create_default_context(cafile=str(authority))
    context.load_cert_chain(authority.with_name("node.pem"), authority.with_name("node.key"))
    with (
        socket.create_connection((host, port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        return str(wrapped.version())


@pytest.mark.timeout(900)
def test_games_come_back_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = encrypted(tmp_path, monkeypatch)
    (tmp_path / "alone").mkdir()
    (tmp_path / "run").mkdir()
    world = World()
    try:
        desk = world.join("desk")
        assert world.states() == {"head": "head", "desk": "ready"}
        for host, port in ((world.head.host, world.head.port), (desk.host, desk.port + 1)):
            assert speaks_tls(host, port, authority) in {"TLSv1.2", "TLSv1.3"}
        asked = job("j", 60)
        alone = here(tmp_path / "alone")
        want = contract.play(alone, asked)
        alone.close()
        with world.backend(tmp_path / "run") as backend:
            world.wait_for(backend, "desk")
            assert contract.play(backend, asked) == want
            (node,) = backend._nodes.values()
            more = (job(f"more{number}", 20) for number in range(10_000))
            until(lambda: node.check is None or not contract.play(backend, next(more)), "a game of desk's counts")
    finally:
        world.close()
