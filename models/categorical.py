"""Features of a table: embed every one, combine the vectors, dense layers, one number or one logit per class."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from combiners import Combiner, Dim, combiner_class, make_combiner

from . import numeric
from .dense import Dense, parse_dtype
from .field_tables import FieldTables
from .matching import Sizes


class CategoricalFeatures(nnx.Module):
    """y = dense([combine(slots); combine_numeric(measured vectors)]).

    The slots are, in this order: one embedding for every single-valued field; for every multi-valued field the
    combination of its values' embeddings by `bag_combiner`; and the numeric columns where `numeric` is 'linear' (every
    measured vector through its own linear map), 'embedded' (every number by pieces, then a linear map) or 'binned'
    (every number's bin as if it were a category). Where it is 'raw', the measured vectors are combined by
    `numeric_combiner`, and lie beside what the main combiner makes of the slots; without any slots, they are all there
    is, and `numeric_combiner` is the main combiner.

    Embeddings live around the mean m that the combiner declares: a slot is m + a row of its table. Missing and unseen
    categories start at m, which neither a sum around 0 nor a product around 1 notices; a bag without values is m, too.

    Attributes:
      combiner: of the slots; of the measured vectors where there are no slots.
      bag_combiners: one for every multi-valued field.
      numeric_combiner: of the measured vectors beside slots; None where there are none.
      embedding: "fields", the tables of categories and bins, and "numeric", the maps of numbers; those that there are.
      folded: whether it is made by models/folding.py: the combiner is then sum.
    """

    def __init__(self, config: Any, spec: Any, *, sizes: Sizes, rngs: nnx.Rngs):
        """Builds the model.

        Args:
          config: config.model.
          spec: data.TableSpec of the dataset.
          sizes: widths of the slots and of the hidden layers.
          rngs: initialises the parameters.

        Raises:
          ValueError: for an unknown way with numbers, a bag combiner whose vectors are not as wide as the slots, and
            whatever a combiner refuses.
        """
        self.dtype = parse_dtype(config.dtype)
        self.numeric_kind = _numeric_kind(config, spec)
        self.num_single = sum(field.max_values == 1 for field in spec.categorical)
        bags = spec.categorical[self.num_single :]
        self.bags = tuple(field.name for field in bags)
        self.groups = tuple(tuple(group) for group in spec.vectors)
        self.edges = tuple(tuple(field.edges) for field in spec.numeric)

        self.embedding = nnx.Dict(self._make_tables(config, spec, sizes.dim, rngs))
        self.bag_combiners = nnx.List(
            [
                _bag_combiner(config, field, _width(sizes.dim, self.num_single + i), rngs)
                for i, field in enumerate(bags)
            ]
        )
        beside = _numeric_combiner(config, self.groups, rngs) if self.numeric_kind == "raw" else None
        self.mean = 0.0
        if self.embedding:
            declared = combiner_class(config.combiner).embedding_mean
            self.mean = declared if config.embedding_mean is None else config.embedding_mean
            self.combiner = make_combiner(
                config.combiner,
                num_vectors=sum(len(tables.num_rows) for tables in self.embedding.values()),
                dim=sizes.dim,
                rngs=rngs,
                **dict(config.combiner_options),
            )
        else:
            self.combiner, beside = beside, None
        self.numeric_combiner = beside
        self.folded = config.get("folded", False)
        self.dense = Dense(
            self.combiner.out_dim + (beside.out_dim if beside else 0),
            sizes.hidden,
            spec.num_outputs,
            dropout=config.dropout,
            dtype=self.dtype,
            folded=self.folded,
            rngs=rngs,
        )

    def _make_tables(self, config: Any, spec: Any, dim: Dim, rngs: nnx.Rngs) -> dict[str, FieldTables]:
        """Returns the tables that are looked up ("fields") and those that are multiplied by numbers ("numeric")."""
        # Rows of each table, and how many of them start at zero: missing and unseen categories, biases.
        fields = [(field.num_rows, 2) for field in spec.categorical]
        maps = []
        if self.numeric_kind == "binned":
            fields += [(numeric.num_bin_rows(edges), 1) for edges in self.edges]
        elif self.numeric_kind == "linear":
            maps = [(1 + len(group), 1) for group in self.groups]
        elif self.numeric_kind == "embedded":
            maps = [(numeric.piecewise_width(edges), 2) for edges in self.edges]
        # A sum of many rows is to vary as much as one row of an embedding.
        summed = {"fields": [1] * len(fields), "numeric": [max(1, rows - zeros) for rows, zeros in maps]}
        tables, start = {}, 0
        for name, shapes in (("fields", fields), ("numeric", maps)):
            if shapes:
                stop = start + len(shapes)
                tables[name] = FieldTables(
                    num_rows=[rows for rows, _ in shapes],
                    num_zeros=[zeros for _, zeros in shapes],
                    dim=dim[start:stop] if isinstance(dim, tuple) else dim,
                    scales=[config.embedding_scale / count**0.5 for count in summed[name]],
                    looked_up=name == "fields",
                    dtype=self.dtype,
                    rngs=rngs,
                )
                start = stop
        return tables

    @staticmethod
    def num_vectors(config: Any, spec: Any) -> int:
        """Returns how many vectors the main combiner gets: the slots, or the measured vectors where there are none.

        Raises:
          ValueError: for an unknown way with numbers; for settings of the slots' combiner where there are no slots.
        """
        kind = _numeric_kind(config, spec)
        num_numeric = {"": 0, "raw": 0, "linear": len(spec.vectors)}.get(kind, len(spec.numeric))
        if num_slots := len(spec.categorical) + num_numeric:
            return num_slots
        if config.combiner != config.numeric_combiner:
            raise ValueError(
                f"model.combiner={config.combiner!r} has nothing to combine: the table has measured vectors alone and "
                f"model.numeric is 'raw', so that model.numeric_combiner={config.numeric_combiner!r} is the combiner; "
                f"set both alike, or model.numeric to linear, embedded or binned"
            )
        if config.match == "params":
            raise ValueError(
                "model.match=params cannot be met: measured vectors have the width that they have; use match=width"
            )
        return len(spec.vectors)

    @staticmethod
    def num_lookups(config: Any, spec: Any) -> int:
        """Returns how many rows an example looks up."""
        binned = len(spec.numeric) if _numeric_kind(config, spec) == "binned" else 0
        return sum(field.max_values for field in spec.categorical) + binned

    @staticmethod
    def has_own_tables(config: Any) -> bool:
        """Returns True: every slot has its own embedding, so that their widths may differ."""
        del config
        return True

    def __call__(
        self, inputs: Mapping[str, Array], *, rngs: nnx.Rngs | None = None
    ) -> Float[Array, "batch outputs"]:
        """Returns the outputs of a batch.

        Args:
          inputs: "categories" int [batch, single-valued fields]; "bag_<name>" int [batch, values] for every
            multi-valued field, 0 = padding; "numeric" float [batch, columns], standardised, NaN = missing. What the
            table does not have is absent.
          rngs: the stream "dropout" in training; None to evaluate.

        Returns:
          float32 [batch, classes] logits, or [batch, 1] in standard deviations of the target.
        """
        combined = []
        if self.embedding:
            slots = self._slots(inputs)
            combined.append(sum(slots) if self.folded else self.combiner(_stacked(slots)))
        if self.numeric_kind == "raw":
            combiner = self.numeric_combiner or self.combiner
            raw = [x.astype(self.dtype) for x in numeric.vectors(inputs["numeric"], self.groups)]
            combined.append(combiner(_stacked(raw)))
        return self.dense(jnp.concatenate(combined, axis=-1), rngs)

    def _slots(self, inputs: Mapping[str, Array]) -> list[Float[Array, "batch _"]]:
        """Returns what the main combiner combines, one vector per slot."""
        ids = [inputs["categories"][:, i, None] for i in range(self.num_single)]
        ids += [inputs[f"bag_{name}"] for name in self.bags]
        if self.numeric_kind == "binned":
            ids += numeric.bin_ids(inputs["numeric"], self.edges)
        rows = list(self.embedding["fields"].look_up(ids, one_by_one=self.folded)) if ids else []
        slots = []
        for i, vectors in enumerate(rows):
            bag = i - self.num_single
            if 0 <= bag < len(self.bags):
                slots.append(self.mean + self._combined_bag(bag, vectors, ids[i]))
            else:
                slots.append(self.mean + vectors[:, 0])
        if "numeric" in self.embedding:
            if self.numeric_kind == "linear":
                encoded = [numeric.with_constant(x) for x in numeric.vectors(inputs["numeric"], self.groups)]
            else:
                encoded = numeric.piecewise_linear(inputs["numeric"], self.edges)
            slots += [self.mean + slot for slot in self.embedding["numeric"].multiply(encoded)]
        return slots

    def _combined_bag(
        self, bag: int, vectors: Float[Array, "batch n dim"], ids: Array
    ) -> Float[Array, "batch dim"]:
        """Returns how far a bag's combination is from that of vectors that say nothing; zeros for an empty bag."""
        combiner, mask = self.bag_combiners[bag], ids != 0
        mean = combiner.embedding_mean
        return jnp.where(mask.any(axis=1, keepdims=True), combiner(mean + vectors, mask) - mean, 0)


def _numeric_kind(config: Any, spec: Any) -> str:
    """Returns what becomes of the numeric columns, '' where there are none; raises ValueError for an unknown way."""
    if config.numeric not in numeric.KINDS:
        raise ValueError(f"model.numeric must be one of {', '.join(numeric.KINDS)}, got {config.numeric!r}")
    return config.numeric if spec.numeric else ""


def _bag_combiner(config: Any, field: Any, dim: int, rngs: nnx.Rngs) -> Combiner:
    combiner = make_combiner(
        config.bag_combiner,
        num_vectors=field.max_values,
        dim=dim,
        rngs=rngs,
        **dict(config.bag_combiner_options),
    )
    if combiner.out_dim != dim:
        raise ValueError(
            f"model.bag_combiner {config.bag_combiner!r} makes {combiner.out_dim} numbers of the values of "
            f"{field.name!r}, expected {dim}, the width of one value's embedding"
        )
    return combiner


def _numeric_combiner(config: Any, groups: tuple[tuple[int, ...], ...], rngs: nnx.Rngs) -> Combiner:
    return make_combiner(
        config.numeric_combiner,
        num_vectors=len(groups),
        dim=tuple(len(group) for group in groups),
        rngs=rngs,
        **dict(config.numeric_combiner_options),
    )


def _width(dim: Dim, slot: int) -> int:
    return dim[slot] if isinstance(dim, tuple) else dim


def _stacked(
    slots: list[Float[Array, "batch _"]],
) -> Float[Array, "batch n dim"] | tuple[Float[Array, "batch _"], ...]:
    """Returns vectors as a combiner takes them: one array, or a tuple where the widths differ."""
    if len({slot.shape[1] for slot in slots}) == 1:
        return jnp.stack(slots, axis=1)
    return tuple(slots)
