"""The engine for trainers: `vector` for speed, `parallel` (PettingZoo), `gymnasium_env`, `serve_player` over HTTP."""
