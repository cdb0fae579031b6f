"""One file a command family; each parses nothing but its own options and calls one function."""
