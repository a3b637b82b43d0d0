"""How matrix products of float32 are computed: `engine.matmul_precision`."""

import contextlib

import jax

from data.nearest import nearest

# Names of jax.default_matmul_precision. What a device has no other way for, it computes in float32, as a CPU does all.
MATMUL_PRECISIONS = {
    "default": None,  # as JAX is set: float32 on a CPU; on a GPU with tensor cores XLA may take TF32
    "float32": "float32",
    "tf32": "tensorfloat32",
    "bfloat16": "BF16_BF16_F32",  # factors rounded to bfloat16, products added up in float32
}


def matmul_precision(name: str) -> contextlib.AbstractContextManager[None]:
    """Returns a context in which matrix products are traced with a precision, their gradients' products included."""
    precision = MATMUL_PRECISIONS[name]
    return contextlib.nullcontext() if precision is None else jax.default_matmul_precision(precision)


def check_matmul_precision(name: str) -> str:
    """Returns the name; raises ValueError for one that is not known."""
    if name not in MATMUL_PRECISIONS:
        raise ValueError(
            f"engine.matmul_precision must be one of {', '.join(MATMUL_PRECISIONS)}, got {name!r}"
            f"{nearest(name, MATMUL_PRECISIONS)}"
        )
    return name
