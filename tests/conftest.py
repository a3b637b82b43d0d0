"""Settings shared by the whole suite: the CPU, cheap compilation, a fixed Hypothesis profile without deadlines."""

import os
from collections.abc import Iterator

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Tests compile much and compute little. Commands that tests start in a process of their own drop this again.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import hypothesis
import jax
import pytest

hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=25, database=None)
hypothesis.settings.load_profile("suite")


@pytest.fixture(scope="module", autouse=True)
def forget_compiled_programs() -> Iterator[None]:
    """Keeps thousands of programs of other modules out of memory, and out of the traces of the profiler's tests."""
    yield
    jax.clear_caches()
