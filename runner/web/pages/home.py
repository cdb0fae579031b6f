"""The first page."""

from litestar import get
from litestar.response import Template

from runner.web.read.daemon import read_daemon
from runner.web.site import Site


@get("/", sync_to_thread=True)
def home(site: Site) -> Template:
    """What the daemon does now."""
    with site.history.snapshot() as rows:
        daemon = read_daemon(rows)
    return Template("home.html", context={"title": "Now", "daemon": daemon, "alive": site.daemon_lives()})
