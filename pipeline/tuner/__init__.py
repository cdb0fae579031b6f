"""The Go-weight tuner: varies a snake's weights, plays real games, and keeps only what is proven better."""
