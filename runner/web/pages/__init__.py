"""The pages: HTML that a browser shows, each with a URL of its own."""

from litestar import Router

from runner.web.pages.games import game, game_data, games
from runner.web.pages.history import history, history_csv, run_file, run_page
from runner.web.pages.now import now
from runner.web.pages.opened_games import OPENED_GAME_ROUTES
from runner.web.pages.schedules import (
    new_schedule,
    new_trigger,
    preview,
    save_schedule,
    save_trigger,
    schedule,
    schedules,
    trigger,
)
from runner.web.pages.steering import ask_back, do
from runner.web.pages.strength import cup_games, evaluation, strength
from runner.web.pages.training import training
from runner.web.pages.tuner import tuner, tuner_report, tuner_run, tuner_step

pages = Router(
    path="/",
    route_handlers=[
        now, ask_back, do, games, game, game_data, tuner, tuner_run, tuner_step, tuner_report, history, history_csv,
        run_page, run_file, schedules, new_schedule, preview, schedule, save_schedule, new_trigger, trigger,
        save_trigger, strength, evaluation, cup_games, training,
        *OPENED_GAME_ROUTES,
    ],
    include_in_schema=False,
)  # fmt: skip
"""All of them; `runner.web.app` hangs it in."""
