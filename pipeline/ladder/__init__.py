"""The public Arena: our snakes' games, ratings and challenges there, brought here by its API.

Public: `source` (what the daemon asks), `sync.Sync` (each game once, whatever is killed when), `actions` (what the
commands of `ouroboros arena` do), `client.ArenaClient`. Rows in `tables` are the truth; games lie in the games folder.
"""
