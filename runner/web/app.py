"""The web application: pages, `/api/v1`, events and static files behind one gate."""

import re
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Litestar, Request
from litestar.di import Provide
from litestar.exceptions import LitestarDeprecationWarning, NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig

from runner.web.api import api
from runner.web.api.page import PathAsText, docs, document
from runner.web.events import Changes, Watchers, events, live_games
from runner.web.login import TokenFinder, ask_for_token, let_token_go, take_token
from runner.web.metrics import healthz, metrics, readyz
from runner.web.pages import pages
from runner.web.problems import HANDLERS
from runner.web.security import MOST_BODY_BYTES, ASGIApp, Gate
from runner.web.site import Site

_STATIC_NAME = re.compile("/static/[A-Za-z0-9._-]{1,100}")
_HERE = Path(str(files("runner.web")))


def create_app(site: Site) -> Litestar:
    """The application over one state folder; `runner.web.server` serves it.

    Handlers may ask for `site` (settings, databases, clock), `changes` (what `/events` tells) and the request, whose
    `state.principal` says who asks and whose `state.csrf_token` a form must bring back.
    """
    changes = Changes(site)
    with warnings.catch_warnings():
        # Handlers name what they are given, as 2.x means it; 3.0 will want each marked. The version is pinned.
        warnings.simplefilter("ignore", LitestarDeprecationWarning)
        app = _application(site, changes)
    gate = Gate(cast(ASGIApp, app.asgi_handler), site.settings.web, site.secret, TokenFinder(site))
    app.asgi_handler = cast(Any, gate)  # before routing: an unknown path passes it too
    return app


def _application(site: Site, changes: Changes) -> Litestar:
    watchers = Watchers(site)
    return Litestar(
        route_handlers=[
            pages,
            api,
            docs,
            document,
            ask_for_token,
            take_token,
            let_token_go,
            healthz,
            readyz,
            metrics,
            events,
            live_games,
            create_static_files_router(
                path="/static", directories=[_HERE / "static"], include_in_schema=False, before_request=_only_names
            ),
        ],
        dependencies={
            "site": Provide(lambda: site, sync_to_thread=False, use_cache=True),
            "changes": Provide(lambda: changes, sync_to_thread=False, use_cache=True),
            "watchers": Provide(lambda: watchers, sync_to_thread=False, use_cache=True),
        },
        exception_handlers=HANDLERS,
        plugins=[PathAsText()],
        template_config=TemplateConfig(instance=_templates()),
        request_max_body_size=MOST_BODY_BYTES,
        on_startup=[changes.start],
        on_shutdown=[changes.stop, site.close],
        openapi_config=OpenAPIConfig(
            title="Ouroboros",
            version=version("ouroboros"),
            description="Every verb of the command line. Errors are problem+json (RFC 9457).",
            path="/api/openapi",  # its own catch-all answers in HTML: not below /api/v1, where `document` serves it
            render_plugins=[JsonRenderPlugin()],
            use_handler_docstrings=True,
        ),
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )


def _only_names(request: Request[Any, Any, Any]) -> None:
    """No file system is asked for what can be no file of ours: a NUL, a name as long as a book."""
    if not _STATIC_NAME.fullmatch(request.scope["path"]):
        raise NotFoundException


def _templates() -> JinjaTemplateEngine:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in environment.list_templates():
        environment.get_template(name)  # compiled now, not while the first reader waits
    engine = JinjaTemplateEngine.from_environment(environment)
    engine.register_template_callable("csrf_token_of", _csrf_token)
    return engine


def _csrf_token(context: Mapping[str, Any], /) -> str:
    request = context["request"]
    assert isinstance(request, Request)
    return str(request.scope["state"]["csrf_token"])
