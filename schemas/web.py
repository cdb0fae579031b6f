"""The dashboard: where it listens, and who may ask it."""

from pydantic import Field, field_validator

from schemas.frozen import Frozen
from schemas.outside_text import line


class WebSettings(Frozen):
    """The web process that `ouroboros up` starts beside the daemon."""

    enabled: bool = True
    """False: `ouroboros up` starts none; `ouroboros dashboard` does so all the same."""
    host: str = "127.0.0.1"
    """The address to listen on. Anything but a loopback address is answered only with a token."""
    port: int = Field(default=8817, ge=1, le=65535)
    """The port to listen on."""
    allowed_hosts: list[str] = Field(default_factory=list)
    """Names under which others reach it, as they stand in the address line: `snake.example.com`, or with `:port`."""
    token_always: bool = False
    """Ask for a token on loopback too: where other people have accounts on this machine, or behind a proxy."""

    @field_validator("host")
    @classmethod
    def _host_is_one_word(cls, host: str) -> str:
        if not host or line(host, 0) != host or any(char in host for char in " /[]"):
            raise ValueError(f"{line(host, 100)!r} is no address such as 127.0.0.1")
        return host

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_look_right(cls, hosts: list[str]) -> list[str]:
        for host in hosts:
            if not host or line(host, 0) != host or any(char in host for char in " /@*"):
                raise ValueError(f"{line(host, 100)!r} is no host such as snake.example.com or snake.example.com:8443")
        return hosts
