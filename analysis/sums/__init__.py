"""Reading summands back out of sums."""
