"""The pages: HTML that a browser shows, each with a URL of its own."""

from litestar import Router

from runner.web.pages.games import game, game_data, games
from runner.web.pages.history import history, history_csv, run_file, run_page
from runner.web.pages.now import now
from runner.web.pages.steering import ask_back, do
from runner.web.pages.tuner import tuner, tuner_report, tuner_run, tuner_step

pages = Router(
    path="/",
    route_handlers=[
        now, ask_back, do, games, game, game_data, tuner, tuner_run, tuner_step, tuner_report, history, history_csv,
        run_page, run_file,
    ],
    include_in_schema=False,
)  # fmt: skip
"""All of them; `runner.web.app` hangs it in."""
