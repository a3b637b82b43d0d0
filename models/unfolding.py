"""Unfolds a summing model of a table's features into a concatenating one of given widths: folding, backwards.

The first dense layer W [d, h] makes Σ_i E_i[id] W + b of a sum. Each E_i W is factorised by its singular values,

    E_i W = P S Q  ≈  U_i R_i,     U_i = P √S of its k_i largest, R_i = √S Q of them,

which no other U_i [rows, k_i] and R_i [k_i, h] beat in squared error over the rows (Eckart and Young 1936). U_i are the
tables of the concatenation, the R_i below each other the matrix of its dense layer. With k_i = min(rows, d, h) nothing
is lost.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from flax import nnx
from jaxtyping import Float64

from .categorical import CategoricalFeatures
from .folding import field_tables, first_layer, to_float32
from .matching import Sizes


def unfold(
    model: nnx.Module, config: Any, spec: Any, widths: Sequence[int]
) -> tuple[Any, CategoricalFeatures]:
    """Returns a concatenating model that computes what a summing one does, as well as its widths allow.

    Args:
      model: a trained models.CategoricalFeatures whose combiner is sum.
      config: the fields of config.model that it was built from.
      spec: what it was built for.
      widths: k_i, one per slot.

    Returns:
      The fields of config.model of the concatenating model, and that model.

    Raises:
      ValueError: for a model that has no tables of its own for every slot or does not sum them, and widths that do not
        fit the slots.
    """
    factors = factorise(model, config)
    if len(widths) != len(factors) or min(widths) < 1:
        raise ValueError(f"widths must be {len(factors)} positive numbers, one per slot, got {tuple(widths)}")
    fields = config.copy_and_resolve_references()
    with fields.unlocked():
        fields.combiner, fields.match, fields.dim = "concat", "width", sum(widths)
        fields.widths, fields.embedding_mean, fields.folded = tuple(widths), 0.0, False
    unfolded = CategoricalFeatures(
        fields, spec, sizes=Sizes(tuple(widths), tuple(fields.hidden)), rngs=nnx.Rngs(0)
    )

    start, rows_of_kernel = 0, []
    for tables in unfolded.embedding.values():
        stop = start + len(tables.num_rows)
        cut = [_cut(*slot, k) for slot, k in zip(factors[start:stop], widths[start:stop], strict=True)]
        for table, (left, _) in zip(tables.tables, cut, strict=True):
            table[...] = to_float32(left)
        rows_of_kernel += [right for _, right in cut]
        start = stop
    (first, *others), (source, *trained) = (
        [*unfolded.dense.hidden, unfolded.dense.output],
        [*model.dense.hidden, model.dense.output],
    )
    first.kernel[...], first.bias[...] = to_float32(np.concatenate(rows_of_kernel)), source.bias[...]
    for layer, other in zip(others, trained, strict=True):
        nnx.update(layer, nnx.state(other))
    return fields, unfolded


Factors = tuple[
    Float64[np.ndarray, "rows rank"], Float64[np.ndarray, "rank"], Float64[np.ndarray, "rank out"]
]


def factorise(model: nnx.Module, config: Any) -> list[Factors]:
    """Returns P, S and Q of E_i W for every slot of a summing model, the singular values S falling.

    Raises:
      ValueError: see `unfold`.
    """
    if not isinstance(model, CategoricalFeatures) or model.numeric_kind == "raw":
        raise ValueError("only a model with a table of its own for every slot can be unfolded")
    if config.combiner != "sum" or model.mean != 0:
        raise ValueError(
            f"only a sum of embeddings around 0 can be unfolded, got {config.combiner!r} around {model.mean:g}"
        )
    tables = [table for group in model.embedding.values() for table in field_tables(group)]
    kernel = np.eye(tables[0].shape[1]) if config.get("folded", False) else first_layer(model.dense)[0]
    return [tuple(np.linalg.svd(table @ kernel, full_matrices=False)) for table in tables]


def _cut(
    left: Float64[np.ndarray, "rows rank"],
    values: Float64[np.ndarray, "rank"],
    right: Float64[np.ndarray, "rank out"],
    k: int,
) -> tuple[Float64[np.ndarray, "rows k"], Float64[np.ndarray, "k out"]]:
    """Returns U and R; columns and rows beyond the rank are zeros."""
    root = np.sqrt(values[:k])
    missing = k - len(root)
    return np.pad(left[:, :k] * root, [(0, 0), (0, missing)]), np.pad(
        root[:, None] * right[:k], [(0, missing), (0, 0)]
    )
