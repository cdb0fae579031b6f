"""Games that other programs recorded: an importer per format, each recognised by its content.

Public: `reading.games_in` gives each game of a file, or why it cannot be read.
"""
