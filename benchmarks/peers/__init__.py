"""What a user would otherwise run: training loops in PyTorch, Keras and Flax that benchmarks give their models to."""
