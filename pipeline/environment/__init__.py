"""The engine for trainers: `vector` for speed, `parallel` for PettingZoo, `serve_player` over HTTP."""
