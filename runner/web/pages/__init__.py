"""The pages: HTML that a browser shows, each with a URL of its own."""

from litestar import Router

from runner.web.pages.home import home

pages = Router(path="/", route_handlers=[home], include_in_schema=False)
"""All of them; `runner.web.app` hangs it in."""
