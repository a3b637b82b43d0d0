"""Benchmarks: this project beside what a user would otherwise run, as ratios from one run."""
