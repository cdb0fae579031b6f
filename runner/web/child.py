"""A short process that does what the web process should not load: changing definitions, looking at conditions."""

import asyncio
import os
import sys

from runner.web.site import Site
from schemas.outside_text import ERROR_LIMIT, passage

LIMIT_S = 60.0


async def run_module(site: Site, *arguments: str, given: str = "", limit_s: float = LIMIT_S) -> tuple[int, str, str]:
    """Run `python -m ARGUMENTS` in this state folder: its exit code, and what it said on both streams.

    Args:
        given: its standard input.
        limit_s: after that it is ended.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        env=os.environ | {"OUROBOROS_HOME": str(site.settings.home.absolute())},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(child.communicate(given.encode()), limit_s)
    except TimeoutError:
        child.kill()
        await child.wait()
        return 1, "", f"it took longer than {limit_s:g} s"
    return child.returncode or 0, out.decode("utf-8", "replace"), passage(err, ERROR_LIMIT).strip()
