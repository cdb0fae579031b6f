"""Networks and how they learn: from a heuristic first, then by playing. torch lives here and in export only."""
