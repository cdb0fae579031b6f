"""Games as data: imported, read, and given to whoever trains on them."""
