"""Workers by name: the jobs that installed packages offer, and `module:function` for one's own."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from runner.imports import uncollected
from schemas.errors import BadInputError
from schemas.execution import Job
from schemas.outside_text import line

GROUP = "ouroboros.jobs"
_REMEDIES = {
    "pipeline": "Install the self-play pipeline with `pip install 'ouroboros[train]'`, or force another worker."
}


@cache
def _offered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def installed_workers() -> frozenset[str]:
    """Names of the jobs that are installed; nothing of them is imported. Looked up once for a process."""
    return frozenset(_offered())


def is_dotted(worker: str) -> bool:
    """True for `module:function`, which names a job without an installed entry point."""
    return ":" in worker


def check_job(worker: str) -> None:
    """Say whether `resolve` would find this worker, without importing it.

    Raises:
        BadInputError: none of that name is installed, or it can be the name of no function.
    """
    if is_dotted(worker):
        _refuse_malformed(worker)
    elif worker not in _offered():
        raise _unknown(worker)


def _refuse_malformed(worker: str) -> None:
    module, _, function = worker.partition(":")
    if not all(word.isidentifier() for word in (*module.split("."), *function.split("."))):
        raise BadInputError("no name of a function", where=line(worker), remedy="Write package.module:function.")


def _unknown(worker: str) -> BadInputError:
    known = ", ".join(sorted(_offered())) or "none"
    remedy = _REMEDIES.get(worker, "Install the package that offers it, or name another worker in the schedule.")
    return BadInputError(f"no worker of that name is installed; installed: {known}", where=worker, remedy=remedy)


def resolve(worker: str) -> Job:
    """Import the job called `worker`.

    Raises:
        BadInputError: none of that name is installed (the message lists those that are), or it cannot be imported.
    """
    check_job(worker)
    point = EntryPoint(worker, worker, GROUP) if is_dotted(worker) else _offered()[worker]
    try:
        with uncollected():
            job: Job = point.load()
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInputError(
            f"the worker cannot be imported: {error}",
            where=point.value,
            remedy=_REMEDIES.get(worker, "Install what it needs, or correct its name."),
        ) from error
    if not callable(job):
        raise BadInputError("the worker is no function", where=point.value, remedy="Correct its name.")
    return job
