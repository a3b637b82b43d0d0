"""Combiners make one vector of several. The package stands alone: copy it into any Flax project."""

from .attention import Attention
from .base import Combiner, Dim
from .concatenation import Concat, PaddedSum, PositionSum
from .pooling import Max, Mean, SqrtN, Sum
from .products import Hybrid, Product
from .registry import COMBINERS, combiner_class, combiner_options, make_combiner

__all__ = [
    "COMBINERS",
    "Attention",
    "Combiner",
    "Concat",
    "Dim",
    "Hybrid",
    "Max",
    "Mean",
    "PaddedSum",
    "PositionSum",
    "Product",
    "SqrtN",
    "Sum",
    "combiner_class",
    "combiner_options",
    "make_combiner",
]
