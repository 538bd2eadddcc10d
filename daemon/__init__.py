"""What is decided: the pure core; beside it the stored format, venues, settings, clock and metric names."""
