"""The public Arena: our snakes' games, ratings and challenges there, brought here by its API."""
