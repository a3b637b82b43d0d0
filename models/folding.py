"""Folds a trained model into a sum: the maps between its tables and its first nonlinearity go into the tables.

Where a combiner is Σ_i x_i A_i + c (models/slot_maps.py) and x_i = m + E_i[id], the first dense layer makes

    combine(x) W + b  =  Σ_i E'_i[id] + b'     with     E'_i = (m + E_i) A_i W,     b' = b + c W

so that a sum of rows and a bias compute what a concatenation and a dense layer did. A table that all slots share
becomes one table per slot, unless A_i is the same for all. Products are computed in float64 and rounded once.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float, Float64

from .categorical import CategoricalFeatures
from .dense import Dense
from .embedding import Embedding
from .field_tables import FieldTables
from .matching import Sizes
from .mnist import ImageParts
from .order import OrderedSentence
from .sentiment import BagOfWords
from .slot_maps import slot_maps

# A linear map passes through these: Σ_j w_j (e_j M) = (Σ_j w_j e_j) M.
_BAGS_THAT_COMMUTE = ("sum", "mean", "sqrtn")


def fold(model: nnx.Module, config: Any, spec: Any, max_bytes: int) -> tuple[Any, nnx.Module]:
    """Returns a summing model that computes what a trained one does.

    Args:
      model: a model of this package, with the parameters of one seed.
      config: the fields of config.model that it was built from.
      spec: what it was built for.
      max_bytes: how large the parameters of the summing model may be.

    Returns:
      The fields of config.model of the summing model, and that model.

    Raises:
      ValueError: if the model cannot be folded, with the reason, or its parameters would be larger than max_bytes.
    """
    if config.get("folded", False):
        raise ValueError(
            "the model is folded already: no map is left between its tables and its first nonlinearity"
        )
    if config.dtype != "float32":
        raise ValueError(
            f"model.dtype={config.dtype} rounds at every step, and at other steps in a folded model; expected float32"
        )
    if isinstance(model, BagOfWords | OrderedSentence):
        return _fold_text(model, config, spec, max_bytes)
    if isinstance(model, CategoricalFeatures):
        return _fold_categorical(model, config, spec, max_bytes)
    if isinstance(model, ImageParts):
        return _fold_image(model, config, spec, max_bytes)
    raise ValueError(f"it is not known how to fold a {type(model).__name__}")


def _fold_text(
    model: BagOfWords | OrderedSentence, config: Any, spec: Any, max_bytes: int
) -> tuple[Any, nnx.Module]:
    if spec.is_pair:
        raise ValueError(
            "pairs of texts: both go through one table, but through different maps of the first layer"
        )
    found = slot_maps(model.combiner, variable_length=True, weighted=spec.has_weights)
    kernel, bias = first_layer(model.dense)
    maps = [matrix @ kernel for matrix in found.maps]
    own_tables = config.table_per_slot or not found.same_for_all
    tables = _slot_tables(model.embedding)
    if not own_tables:
        tables, maps = tables[:1], maps[:1]

    fields = _sum_fields(config, dim=kernel.shape[1], table_per_slot=own_tables, folded=True)
    folded = _build(model, fields, spec, max_bytes)
    mean = model.embedding.mean
    rows = [(mean + table) @ matrix for table, matrix in zip(tables, maps, strict=True)]
    folded.embedding.set_slot_tables([to_float32(table) for table in rows])
    _set_dense(folded.dense, model.dense, bias + found.offset @ kernel)
    return fields, folded


def _fold_categorical(
    model: CategoricalFeatures, config: Any, spec: Any, max_bytes: int
) -> tuple[Any, nnx.Module]:
    if model.numeric_kind == "raw":
        raise ValueError(
            "model.numeric='raw': measured vectors have no table that a map could be folded into; 'linear' gives each "
            "a map of its own"
        )
    if model.bags and config.bag_combiner not in _BAGS_THAT_COMMUTE:
        raise ValueError(
            f"model.bag_combiner={config.bag_combiner!r} stands between the tables and the combiner, and a linear map "
            f"does not pass through it; it does through {', '.join(_BAGS_THAT_COMMUTE)}"
        )
    if model.bags and model.mean != 0 and config.bag_combiner != "mean":
        raise ValueError(
            f"model.bag_combiner={config.bag_combiner!r} of embeddings around {model.mean:g} depends on how many there "
            "are; only a mean does not"
        )
    found = slot_maps(model.combiner, variable_length=False)
    kernel, bias = first_layer(model.dense)
    maps = [matrix @ kernel for matrix in found.maps]
    # Missing values are rows of zeros beside the mean, which every slot adds: it is a constant of the model.
    constant = bias + found.offset @ kernel + sum(model.mean * matrix.sum(axis=0) for matrix in maps)

    fields = _sum_fields(config, dim=kernel.shape[1], folded=True)
    folded = _build(model, fields, spec, max_bytes)
    start = 0
    for name, tables in model.embedding.items():
        rows = field_tables(tables)
        stop = start + len(rows)
        new = [table @ matrix for table, matrix in zip(rows, maps[start:stop], strict=True)]
        folded.embedding[name].table[...] = to_float32(np.concatenate(new))
        start = stop
    _set_dense(folded.dense, model.dense, constant)
    return fields, folded


def _fold_image(model: ImageParts, config: Any, spec: Any, max_bytes: int) -> tuple[Any, nnx.Module]:
    """Folds the combiner alone: a nonlinearity follows it at once, so that no dense layer can go.

    The maps of a concatenation pad with zeros, and the folded kernels are those of the parts, padded.
    """
    found = slot_maps(model.combiner, variable_length=False)
    embedding, maps = model.embedding, list(found.maps)
    shared = config.shared_embedding and found.same_for_all
    if isinstance(embedding.dim, tuple):
        kernels = [to_float64(kernel) for kernel in embedding.kernels]
    elif embedding.shared:
        kernels = [to_float64(embedding.kernel)] * len(maps)
    else:
        kernels = list(to_float64(embedding.kernel))
    constant = found.offset + sum(embedding.mean * matrix.sum(axis=0) for matrix in maps)

    fields = _sum_fields(config, dim=model.combiner.out_dim, shared_embedding=shared)
    folded = _build(model, fields, spec, max_bytes)
    new = [kernel @ matrix for kernel, matrix in zip(kernels, maps, strict=True)]
    folded.embedding.kernel[...] = to_float32(new[0] if shared else np.stack(new))
    folded.bias[...] = to_float32(to_float64(model.bias) + constant)
    if model.has_head:
        nnx.update(folded.dense, nnx.state(model.dense))
    return fields, folded


def _sum_fields(config: Any, *, dim: int, **others: Any) -> Any:
    """Returns config.model of a summing model whose slots are `dim` wide."""
    fields = config.copy_and_resolve_references()
    with fields.unlocked():
        fields.combiner, fields.combiner_options = "sum", type(config)()
        fields.match, fields.dim, fields.widths, fields.embedding_mean = "embed", dim, (), 0.0
        if "pretrained" in fields:  # the tables are none that training started from
            fields.pretrained, fields.pretrained_mode = "", "tuned"
        fields.update(others)
    return fields


def _build(model: nnx.Module, fields: Any, spec: Any, max_bytes: int) -> Any:
    sizes = Sizes(fields.dim, tuple(fields.hidden))

    def make() -> nnx.Module:
        return type(model)(fields, spec, sizes=sizes, rngs=nnx.Rngs(0))

    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(nnx.eval_shape(make)))
    if size > max_bytes:
        raise ValueError(
            f"folded, the model would have tables of {size:,} bytes for every seed, more than max_bytes={max_bytes:,}"
        )
    return make()


def first_layer(dense: Dense) -> tuple[Float64[np.ndarray, "width out"], Float64[np.ndarray, "out"]]:
    """Returns the matrix and the bias of the first dense layer."""
    layer = [*dense.hidden, dense.output][0]
    return to_float64(layer.kernel), to_float64(layer.bias)


def _set_dense(folded: Dense, dense: Dense, bias: Float64[np.ndarray, "out"]) -> None:
    (first, *others), (_, *trained) = [*folded.hidden, folded.output], [*dense.hidden, dense.output]
    first.bias[...] = to_float32(bias)
    for layer, source in zip(others, trained, strict=True):
        nnx.update(layer, nnx.state(source))


def _slot_tables(embedding: Embedding) -> list[Float64[np.ndarray, "rows _"]]:
    """Returns the table of every slot; the same one many times where they share it."""
    if not embedding.table_per_slot:
        return [np.asarray(embedding.slot_table(0), np.float64)] * embedding.num_slots
    return [np.asarray(embedding.slot_table(slot), np.float64) for slot in range(embedding.num_slots)]


def field_tables(tables: FieldTables) -> Sequence[Float64[np.ndarray, "rows _"]]:
    """Returns the table of every slot."""
    if isinstance(tables.dim, tuple):
        return [to_float64(table) for table in tables.tables]
    return np.split(to_float64(tables.table), np.cumsum(tables.num_rows)[:-1])


def to_float64(parameter: nnx.Variable) -> Float64[np.ndarray, "..."]:
    """Returns the numbers of a parameter, in double precision."""
    return np.asarray(parameter[...], np.float64)


def to_float32(values: Float64[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Returns numbers rounded once, as parameters hold them."""
    return values.astype(np.float32)
