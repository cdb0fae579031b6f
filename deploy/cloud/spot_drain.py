"""Waits for the notice that this rented machine is taken back, then has Ouroboros save and stop: exit code 0.

    python3 spot_drain.py aws|gcp|azure [--command 'ouroboros stop']

Clouds tell it ahead (AWS 120 s, Google and Azure 30 s) at an address that only the machine itself reaches. Asked every
few seconds, each question with a time limit; an address that does not answer is told of once and asked again. Stands on
the standard library alone: it runs before anything is installed. Sources: the clouds' pages on spot instance
interruption notices, preemptible instances, and scheduled events.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

TIMEOUT_S = 2.0
_MOST_BYTES = 65_536
_LINK_LOCAL = "http://169.254.169.254"


class NoAnswer(Exception):
    """Why nothing was learned."""


def ask(url: str, headers: dict[str, str], method: str = "GET") -> bytes | None:
    """The answer's body, None where there is no such page.

    Raises:
        NoAnswer: nobody there, or another fault.
    """
    if not url.startswith("http://"):
        raise NoAnswer(f"{url} is no http:// address")
    request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310 - looked at above
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - looked at above
            body: bytes = answer.read(_MOST_BYTES)
            return body
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                return None
            raise NoAnswer(f"{url} answered {error.code}") from error
    except (OSError, ValueError) as error:
        raise NoAnswer(f"{url}: {error}") from error


def aws(base: str) -> bool:
    """The page exists once the instance is marked to be stopped or terminated."""
    token = ask(f"{base}/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, "PUT") or b""
    headers = {"X-aws-ec2-metadata-token": token.decode("ascii", "replace").strip()}
    return ask(f"{base}/latest/meta-data/spot/instance-action", headers) is not None


def gcp(base: str) -> bool:
    """TRUE from the moment of preemption on."""
    body = ask(f"{base}/computeMetadata/v1/instance/preempted", {"Metadata-Flavor": "Google"})
    return (body or b"").strip().upper() == b"TRUE"


def azure(base: str) -> bool:
    """A scheduled event of type Preempt or Terminate."""
    body = ask(f"{base}/metadata/scheduledevents?api-version=2020-07-01", {"Metadata": "true"})
    try:
        events = json.loads(body or b"{}").get("Events") or []
        return any(event.get("EventType") in ("Preempt", "Terminate") for event in events)
    except (ValueError, AttributeError, TypeError) as error:
        raise NoAnswer(f"{base} answered no list of events: {error}") from error


CLOUDS: dict[str, tuple[Callable[[str], bool], str]] = {
    "aws": (aws, _LINK_LOCAL),
    "gcp": (gcp, "http://metadata.google.internal"),
    "azure": (azure, _LINK_LOCAL),
}


def wait_for_notice(is_taken_back: Callable[[str], bool], base: str, every_s: float) -> None:
    """Ask until it is so; say a new fault once."""
    told = ""
    while True:
        try:
            if is_taken_back(base):
                return
            told = ""
        except NoAnswer as fault:
            if str(fault) != told:
                sys.stderr.write(f"spot_drain: {fault}; asking again every {every_s:g} s\n")
                told = str(fault)
        time.sleep(every_s)


def main(arguments: list[str]) -> int:
    """Wait, then run the command; its exit code."""
    parser = argparse.ArgumentParser(description="Have Ouroboros save and stop when the cloud takes this machine back.")
    parser.add_argument("cloud", choices=CLOUDS)
    parser.add_argument("--command", default="ouroboros stop", help="what is then run [%(default)s]")
    parser.add_argument("--url", help="where to ask, in place of the cloud's own address")
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="[%(default)s]")
    given = parser.parse_args(arguments)
    if not given.every > 0:
        parser.error("--every is no number above 0")
    question, base = CLOUDS[given.cloud]
    wait_for_notice(question, given.url or base, given.every)
    sys.stderr.write(f"spot_drain: this machine is taken back; running {given.command}\n")
    try:
        return subprocess.run(shlex.split(given.command), check=False).returncode
    except OSError as error:
        sys.stderr.write(f"spot_drain: cannot run {given.command}: {error.strerror}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
