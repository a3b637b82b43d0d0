"""Pieces that the float64 references of several combiners share, in plain NumPy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from flax import nnx


def in_float64(parameter: Any) -> np.ndarray:
    """Returns the value of a parameter in float64."""
    return np.asarray(parameter[...], np.float64)


def zeroed(x: Sequence[np.ndarray], mask: np.ndarray) -> list[np.ndarray]:
    """Returns the vectors in float64, zeros where masked."""
    return [x[i].astype(np.float64) if mask[i] else np.zeros(x[i].shape) for i in range(len(x))]


def sigmoid(scores: np.ndarray | np.float64) -> np.ndarray | np.float64:
    """Returns 1 / (1 + exp(−scores))."""
    return 1 / (1 + np.exp(-scores))


def dense(layer: nnx.Linear, x: np.ndarray) -> np.ndarray:
    """Returns x W + b, or x W for a layer without a bias."""
    y = x @ in_float64(layer.kernel)
    return y if layer.bias is None else y + in_float64(layer.bias)
