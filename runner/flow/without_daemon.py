"""`python -m runner.flow.without_daemon`: carry out what needs no daemon, where none lives to do it.

A short process of its own, so that whoever asks (the dashboard) need not load what changes definitions. A daemon that
starts meanwhile is no harm: each command is answered once, in the transaction of its effect.
"""

import sys
from datetime import UTC, datetime

from runner.flow.define import DEFINING, carry_out
from runner.store import commands
from runner.store.engine import Store
from schemas.errors import OuroborosError
from schemas.settings import get_config

COMMANDS_AT_ONCE = 100


def main() -> int:
    """Answer the pending commands that change definitions; the others wait for the daemon."""
    settings = get_config()
    store = Store(settings.database_url, settings.storage.busy_timeout_s)
    now = datetime.now(UTC)
    try:
        with store.write() as session:
            for command in commands.pending(session, COMMANDS_AT_ONCE):
                if command.verb in DEFINING:
                    ok, answer = carry_out(DEFINING, session, command, now)
                    commands.answer(session, command.command_id, ok, answer, now)
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OuroborosError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
