"""What games prove: intervals, sequential tests and the power of comparisons."""
