"""Settings shared by the whole suite: the CPU, a fixed Hypothesis profile, no deadline that a busy machine could miss."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Tests compile much and compute little. Commands that tests start in a process of their own drop this again.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import hypothesis

hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=25, database=None)
hypothesis.settings.load_profile("suite")
