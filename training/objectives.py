"""What is minimised, what is measured and what is predicted: one objective for classes, one for numbers.

Both have `higher_is_better`, every metric of a split and which way it points; `per_example`, what is averaged over a
split, of which "loss" is minimised; `summarise`, from those averages and the split's targets to its metrics;
`item_scores`, what each example adds to the metric that reports compare; and `predict`, what a user wants to see of a
model's outputs.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Shaped


@dataclasses.dataclass(frozen=True)
class Classification:
    """loss = −log softmax(logits)[target] in nats; accuracy = share of examples whose largest logit is the target's.

    Where logits tie, the first class counts as the answer.
    """

    higher_is_better: ClassVar[Mapping[str, bool]] = {"accuracy": True, "loss": False}

    def per_example(
        self, outputs: Float[Array, "*batch outputs"], targets: Shaped[Array, "*batch"]
    ) -> dict[str, Float[Array, "*batch"]]:
        """Returns loss and accuracy."""
        loss = optax.softmax_cross_entropy_with_integer_labels(outputs, targets)
        accuracy = (jnp.argmax(outputs, axis=-1) == targets).astype(jnp.float32)
        return {"loss": loss, "accuracy": accuracy}

    def summarise(self, means: Mapping[str, Any], targets: Any) -> dict[str, Any]:
        """Returns the means themselves."""
        del targets
        return dict(means)

    def item_scores(self, per_example: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the accuracy of each example, 1 or 0."""
        return {"accuracy": per_example["accuracy"]}

    def predict(self, outputs: Float[Array, "*batch outputs"]) -> Float[Array, "*batch outputs"]:
        """Returns softmax(logits): a probability per class."""
        return jax.nn.softmax(outputs, axis=-1)


@dataclasses.dataclass(frozen=True)
class Regression:
    """ŷ = mean + scale · output, in the unit of the target; loss = ((ŷ − y) / scale)².

    rmse = √(Σ (ŷ − y)² / N) and mae = Σ |ŷ − y| / N are in that unit too. r2 = 1 − Σ (ŷ − y)² / Σ (y − ȳ)², with ȳ the
    mean of the split that is measured; 0 where its targets are all equal, as scikit-learn has it.

    Attributes:
      mean: of the training targets, so that a model starts from their mean.
      scale: their standard deviation, so that the loss starts near 1 whatever the unit.
    """

    mean: float
    scale: float
    higher_is_better: ClassVar[Mapping[str, bool]] = {"rmse": False, "mae": False, "r2": True, "loss": False}

    def per_example(
        self, outputs: Float[Array, "*batch outputs"], targets: Shaped[Array, "*batch"]
    ) -> dict[str, Float[Array, "*batch"]]:
        """Returns the loss and the absolute error."""
        # In units of the scale: a price's mean may dwarf what float32 resolves of a small error.
        error = outputs[..., 0] - (targets - self.mean) / self.scale
        return {"loss": error**2, "absolute_error": jnp.abs(error)}

    def summarise(self, means: Mapping[str, Any], targets: Any) -> dict[str, Any]:
        """Returns rmse, mae, r2 and loss."""
        variance = (((targets - self.mean) / self.scale).astype("float32")).var()
        known = variance > 0
        return {
            "rmse": self.scale * means["loss"] ** 0.5,
            "mae": self.scale * means["absolute_error"],
            "r2": (1 - means["loss"] / (variance + ~known)) * known,
            "loss": means["loss"],
        }

    def item_scores(self, per_example: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the squared error of each example, in the square of the target's unit."""
        return {"squared_error": self.scale**2 * per_example["loss"]}

    def predict(self, outputs: Float[Array, "*batch outputs"]) -> Float[Array, "*batch"]:
        """Returns ŷ."""
        return self.mean + self.scale * outputs[..., 0]


Objective = Classification | Regression


def make_objective(spec: Any) -> Objective:
    """Returns the objective for what a data.Spec says is predicted."""
    return Classification() if spec.classes else Regression(spec.target_mean, spec.target_scale)
