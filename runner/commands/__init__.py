"""One file a command family of `ouroboros`; `runner.cli` finds it by name. Each parses nothing but its own options and
calls one function; `client` reaches database and daemon, `output` shows what they say.
"""
