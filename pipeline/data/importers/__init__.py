"""Games that other programs recorded: an importer per format, each recognised by its content."""
