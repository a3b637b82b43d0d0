"""Images from parts: embed every part of an image linearly, combine the vectors, dense layers, one logit per class."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Shaped, UInt8

from combiners import COMBINERS, Combiner, Dim, combiner_class, make_combiner

from .dense import Dense, parse_dtype
from .matching import Sizes

# model.parts -> height and width of a part; None = as wide as the image.
PARTS: dict[str, tuple[int, int | None]] = {
    "rows": (1, None),
    "4x4": (4, 4),
    "8x8": (8, 8),
    "16x16": (16, 16),
}

# Combiners that make a multiple of the sum where no part is missing: class -> (n -> the multiple).
MULTIPLES_OF_THE_SUM: dict[type[Combiner], Callable[[int], float]] = {
    COMBINERS["sum"]: lambda n: 1.0,
    COMBINERS["mean"]: lambda n: 1 / n,
    COMBINERS["sqrtn"]: lambda n: n**-0.5,
}


class PartEmbedding(nnx.Module):
    """A linear map from the pixels of a part to a vector, x_i = mean + part_i W_i, pixels between 0 and 1.

    The constant `mean` is kept out of the weights, so that weight decay draws vectors towards it.

    Attributes:
      num_parts: n.
      dim: the width of a vector; a tuple of one width per part where they differ.
      kernel: W, [n, pixels, dim]; [pixels, dim] where all parts share one.
      kernels: with unequal widths, one [pixels, dim_i] per part.
    """

    def __init__(
        self,
        *,
        num_parts: int,
        num_pixels: int,
        dim: Dim,
        shared: bool,
        mean: float,
        scale: float,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ):
        """Draws the weights from a normal distribution.

        Args:
          num_parts: n.
          num_pixels: of one part.
          dim: the width of a vector, or one width per part.
          shared: whether all parts share one map.
          mean: the constant part of every vector.
          scale: standard deviation of the initial weights.
          dtype: of the computation; the weights are float32.
          rngs: the source of the initial values.

        Raises:
          ValueError: for unequal widths in a shared map.
        """
        if isinstance(dim, tuple) and shared:
            raise ValueError(f"parts of different widths {dim} cannot share one embedding")
        self.num_parts, self.dim, self.shared = num_parts, dim, shared
        self.mean, self.dtype = mean, dtype

        def draw(*shape: int) -> Float[Array, "..."]:
            return scale * jax.random.normal(rngs.params(), shape)

        if isinstance(dim, tuple):
            self.kernels = nnx.List([nnx.Param(draw(num_pixels, width)) for width in dim])
        else:
            self.kernel = nnx.Param(draw(*(() if shared else (num_parts,)), num_pixels, dim))

    def __call__(
        self, parts: UInt8[Array, "batch n pixels"]
    ) -> Float[Array, "batch n dim"] | tuple[Float[Array, "batch _"], ...]:
        """Returns the vector of each part: [batch, n, dim], or n arrays [batch, dim_i] where the widths differ."""
        x = self._scaled(parts)
        if isinstance(self.dim, tuple):
            return tuple(
                self.mean + x[:, i] @ kernel[...].astype(self.dtype) for i, kernel in enumerate(self.kernels)
            )
        equation = "bnp,pd->bnd" if self.shared else "bnp,npd->bnd"
        return self.mean + jnp.einsum(equation, x, self.kernel[...].astype(self.dtype))

    def summed(
        self, pixels: UInt8[Array, "batch height width"], part: tuple[int, int], margin: int
    ) -> Float[Array, "batch dim"]:
        """Returns the sum of the vectors without making them: one matrix product, n · mean + Σ_i part_i W_i.

        Args:
          pixels: whole images.
          part: height and width of a part.
          margin: pixels along every edge that are known to be 0; the product leaves them out.
        """
        kernel = self.kernel[...].astype(self.dtype)
        if self.shared:
            x = jnp.sum(self._scaled(cut(pixels, part)), axis=1)
            return self.num_parts * self.mean + x @ kernel
        inside = (slice(margin, pixels.shape[1] - margin), slice(margin, pixels.shape[2] - margin))
        x = self._scaled(pixels[:, *inside])
        kernel = _uncut(kernel, pixels.shape[1:], part)[inside]
        return self.num_parts * self.mean + x.reshape(len(x), -1) @ kernel.reshape(-1, kernel.shape[-1])

    def _scaled(self, pixels: UInt8[Array, "*shape"]) -> Float[Array, "*shape"]:
        return pixels.astype(self.dtype) / 255


class ImageParts(nnx.Module):
    """outputs = Dense(relu(combine(x_1, …, x_n) + b)), where x_i is the linear embedding of the i-th part of the image.

    With the sum, the combined vector is that of one dense layer from all pixels, and it is computed as one; so are its
    multiples, the mean and sqrtn. Without a head the combined vector and its bias are the outputs.
    """

    def __init__(self, config: Any, spec: Any, *, sizes: Sizes, rngs: nnx.Rngs):
        """Builds the model.

        Args:
          config: config.model.
          spec: data.images.ImageSpec of the dataset.
          sizes: widths of the embedding and of the hidden layers.
          rngs: initialises the parameters.

        Raises:
          ValueError: for settings that cannot be.
        """
        dtype = parse_dtype(config.dtype)
        combiner = combiner_class(config.combiner)
        self.part, self.margin = _part_shape(config, spec), spec.margin
        num_vectors = self.num_vectors(config, spec)
        self.embedding = PartEmbedding(
            num_parts=num_vectors,
            num_pixels=spec.height * spec.width // num_vectors,
            dim=sizes.dim,
            shared=config.shared_embedding,
            mean=combiner.embedding_mean if config.embedding_mean is None else config.embedding_mean,
            scale=config.embedding_scale,
            dtype=dtype,
            rngs=rngs,
        )
        self.combiner = make_combiner(
            config.combiner,
            num_vectors=num_vectors,
            dim=sizes.dim,
            rngs=rngs,
            **dict(config.combiner_options),
        )
        width = self.combiner.out_dim
        self.bias = nnx.Param(jnp.zeros(width))
        if config.head:
            options = {"dropout": config.dropout, "dtype": dtype, "rngs": rngs}
            self.dense = Dense(width, sizes.hidden, spec.num_outputs, **options)
        elif sizes.hidden:
            raise ValueError(f"model.head=False leaves no place for model.hidden={sizes.hidden}")
        elif width != spec.num_outputs:
            raise ValueError(
                f"with model.head=False the combined vector is the output: {config.combiner!r} makes {width} numbers "
                f"of model.dim={config.dim}, expected {spec.num_outputs}, one per class"
            )
        self.has_head = config.head

    @staticmethod
    def num_vectors(config: Any, spec: Any) -> int:
        """Returns how many vectors are combined: the parts of an image."""
        height, width = _part_shape(config, spec)
        return (spec.height // height) * (spec.width // width)

    @staticmethod
    def num_lookups(config: Any, spec: Any) -> int:
        """Returns 0: there is no table."""
        del config, spec
        return 0

    @staticmethod
    def has_own_tables(config: Any) -> bool:
        """Returns whether every part has its own embedding, so that their widths may differ."""
        return not config.shared_embedding

    def __call__(
        self, inputs: Mapping[str, Array], *, rngs: nnx.Rngs | None = None
    ) -> Float[Array, "batch outputs"]:
        """Returns the outputs of a batch.

        Args:
          inputs: "pixels" uint8 [batch, height, width].
          rngs: the stream "dropout" in training; None to evaluate.

        Returns:
          float32 [batch, outputs].
        """
        pixels = inputs["pixels"]
        multiple = MULTIPLES_OF_THE_SUM.get(type(self.combiner))
        if multiple:
            combined = multiple(self.combiner.num_vectors) * self.embedding.summed(
                pixels, self.part, self.margin
            )
        else:
            combined = self.combiner(self.embedding(cut(pixels, self.part)))
        h = combined + self.bias[...].astype(combined.dtype)
        return self.dense(nnx.relu(h), rngs) if self.has_head else h.astype(jnp.float32)


def cut(
    pixels: Shaped[Array, "batch height width"], part: tuple[int, int]
) -> Shaped[Array, "batch n part_pixels"]:
    """Cuts images into parts of one size, row by row; the pixels of a part are in rows, too."""
    batch, height, width = pixels.shape
    tall, wide = part
    grid = pixels.reshape(batch, height // tall, tall, width // wide, wide)
    return grid.swapaxes(2, 3).reshape(batch, -1, tall * wide)


def _uncut(
    kernel: Float[Array, "n part_pixels dim"], image: tuple[int, int], part: tuple[int, int]
) -> Float[Array, "height width dim"]:
    """Returns the weights of the pixels of an image that was cut, in the order of the image."""
    (height, width), (tall, wide) = image, part
    grid = kernel.reshape(height // tall, width // wide, tall, wide, -1)
    return grid.swapaxes(1, 2).reshape(height, width, -1)


def _part_shape(config: Any, spec: Any) -> tuple[int, int]:
    if config.parts not in PARTS:
        raise ValueError(f"model.parts must be one of {', '.join(PARTS)}, got {config.parts!r}")
    height, width = PARTS[config.parts][0], PARTS[config.parts][1] or spec.width
    if spec.height % height or spec.width % width:
        raise ValueError(
            f"model.parts={config.parts} does not divide images of {spec.height}x{spec.width} pixels"
        )
    return height, width
