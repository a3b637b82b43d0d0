"""Settings shared by the whole suite: the CPU, cheap compilation, a fixed Hypothesis profile without deadlines."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Tests compile much and compute little. Commands that tests start in a process of their own drop this again.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import hypothesis

hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=25, database=None)
hypothesis.settings.load_profile("suite")
