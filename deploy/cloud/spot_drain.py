"""Waits for the notice that this rented machine is taken back, then has Ouroboros save and stop: exit code 0.

    python3 spot_drain.py aws|gcp|azure [--command 'ouroboros stop']

Clouds tell it ahead (AWS 120 s, Google and Azure 30 s) at an address that only the machine itself reaches. Asked every
few seconds, each question with a time limit; an address that does not answer is told of once and asked again. A command
that cannot be run is refused at once (exit code 2), not when it is too late. Stands on the standard library alone.
Sources: the clouds' pages on spot instance interruption notices, preemptible instances, and scheduled events.
"""

import argparse
import http.client
import json
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

TIMEOUT_S = 2.0
_MOST_BYTES = 65_536
_LONGEST_WAIT_S = 3600.0
_LINK_LOCAL = "http://169.254.169.254"
# A proxy in the environment is asked for the web; what it says of these addresses is about itself.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NoAnswer(Exception):
    """Why nothing was learned."""


def ask(url: str, headers: dict[str, str], method: str = "GET") -> bytes | None:
    """The answer's body, None where there is no such page.

    Raises:
        NoAnswer: nobody there, or another fault.
    """
    try:
        request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310 - `main` has looked at it
        with _DIRECT.open(request, timeout=TIMEOUT_S) as answer:
            body: bytes = answer.read(_MOST_BYTES)
            return body
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                return None
            raise NoAnswer(f"{url} answered {error.code}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:  # the last: what is no HTTP, or ends too soon
        raise NoAnswer(f"{url}: {error!r}"[:300]) from error


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


def _words(parser: argparse.ArgumentParser, command: str) -> list[str]:
    """The command, looked at now: once the machine is taken back there is no time to mend it."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        parser.error(f"--command cannot be split into words: {error}")
    if not words or shutil.which(words[0]) is None:
        parser.error(f"--command: there is no program {words[0] if words else ''!r} here")
    return words


def main(arguments: list[str]) -> int:
    """Wait, then run the command; its exit code."""
    parser = argparse.ArgumentParser(description="Have Ouroboros save and stop when the cloud takes this machine back.")
    parser.add_argument("cloud", choices=CLOUDS)
    parser.add_argument("--command", default="ouroboros stop", help="what is then run [%(default)s]")
    parser.add_argument("--url", help="where to ask, in place of the cloud's own address")
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="[%(default)s]")
    given = parser.parse_args(arguments)
    if not 0 < given.every <= _LONGEST_WAIT_S:
        parser.error(f"--every is no number above 0 and up to {_LONGEST_WAIT_S:g}")
    question, base = CLOUDS[given.cloud]
    if not (given.url or base).startswith("http://"):
        parser.error(f"{given.url} is no http:// address")
    words = _words(parser, given.command)
    wait_for_notice(question, given.url or base, given.every)
    sys.stderr.write(f"spot_drain: this machine is taken back; running {given.command}\n")
    try:
        return subprocess.run(words, check=False).returncode
    except OSError as error:
        sys.stderr.write(f"spot_drain: cannot run {given.command}: {error.strerror}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
