"""Models that were trained: their weights as files, all that is known of them as rows. No torch."""
