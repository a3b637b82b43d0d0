"""The JAX that is installed compiles to what it computes operation by operation; 0.10.2 did not, on the CPU."""

import os
import subprocess
import sys

import pytest

# Fails under jaxlib 0.10.2 on x86-64: fused products with constants read memory that nobody wrote (jax-ml/jax issues
# 39103 and 39120). A process of its own, since the suite compiles without optimisation.
SCRIPT = """
import jax, numpy as np
from flax import nnx
from combiners import make_combiner
x = 0.1 * np.random.default_rng(0).normal(size=(128, 16, 32)).astype(np.float32)
combiner = make_combiner({name!r}, num_vectors=16, dim=32, rngs=nnx.Rngs(0))
np.testing.assert_allclose(jax.jit(lambda x: combiner(x))(x), combiner(x), rtol=1e-4, atol=1e-5)
"""


@pytest.mark.parametrize("name", ["self_attention_mean", "transformer"])
def test_optimised_programs_give_what_single_operations_give(name):
    environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
    command = [sys.executable, "-c", SCRIPT.format(name=name)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
