"""Training that touches, of embedding tables, the rows alone that a batch looks up."""

from .choice import MODES, make_row_optimizer
from .optimizer import RowOptimizer
from .step import Gradients, RowState, apply, differentiate, init_rows, pack, pad, readable, unpack

__all__ = [
    "MODES",
    "Gradients",
    "RowOptimizer",
    "RowState",
    "apply",
    "differentiate",
    "init_rows",
    "make_row_optimizer",
    "pack",
    "pad",
    "readable",
    "unpack",
]
