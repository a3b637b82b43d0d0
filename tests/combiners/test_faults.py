"""Breaks combiners on purpose: the property that is meant to find a fault finds it, and its correct twin has it."""

import jax.numpy as jnp
import pytest

from combiners.check import PROPERTIES, check, sentence, try_property
from combiners.checks_trial import Trial
from combiners.concatenation import Concat, PositionSum
from combiners.pooling import Max, Mean, Sum
from tests.combiners.broken import (
    BiasForAnEmptyBag,
    Bilinear,
    BilinearInABuffer,
    BilinearInAnArray,
    CancelsInBfloat16,
    ClaimsCounts,
    ClaimsFixedLength,
    ClaimsInvariance,
    ClaimsOrder,
    ClaimsRandomness,
    ClaimsWeights,
    CountsItsCalls,
    DeadParameter,
    DeniesCounts,
    DividedByAllInputs,
    DrawsAtCallTime,
    Factors,
    FactorsInAList,
    FactorsInNumPy,
    FactorsOfOnes,
    HiddenNaN,
    MaskInTheDivisorOnly,
    NormalisedOverTheBatch,
    OneBatchAxis,
    PaddingEntersTheMaximum,
    RebuiltProjection,
    RootOfVariance,
    RoundedToFloat32,
    SeedIsDropped,
    SeedOfItsOwn,
    StoppedGradient,
    WithoutCitation,
    WrongCount,
    WrongFormula,
    WrongWidth,
)

FAULTS = [
    (BilinearInABuffer, Bilinear, "every parameter is registered"),
    (BilinearInABuffer, Bilinear, "its declared parameter count is real"),
    (BilinearInAnArray, Bilinear, "every parameter is registered"),
    (FactorsInAList, Factors, "its declared parameter count is real"),
    (FactorsInAList, Factors, "its state moves into a fresh instance"),
    (FactorsOfOnes, Factors, "every parameter is registered"),
    (FactorsInNumPy, Factors, "every parameter is registered"),
    (RebuiltProjection, PositionSum, "nothing is drawn at call time"),
    (DeadParameter, PositionSum, "every parameter gets a gradient"),
    (MaskInTheDivisorOnly, Mean, "masked slots change nothing whatever they hold"),
    (DividedByAllInputs, Mean, "more masked slots change nothing"),
    (DividedByAllInputs, Mean, "equals its float64 reference"),
    (PaddingEntersTheMaximum, Max, "more masked slots change nothing"),
    (PaddingEntersTheMaximum, Max, "masked slots change nothing wherever they lie"),
    (PaddingEntersTheMaximum, Max, "equals its float64 reference"),
    (NormalisedOverTheBatch, Sum, "bags of one batch do not touch each other"),
    (BiasForAnEmptyBag, Sum, "empty bags give zeros without a gradient"),
    (ClaimsInvariance, Sum, "order has no effect"),
    (ClaimsOrder, Concat, "order has an effect"),
    (ClaimsCounts, Sum, "a weight of k is the vector k times"),
    (DeniesCounts, Sum, "a weight of k is not the vector k times"),
    (ClaimsWeights, Sum, "weights have an effect"),
    (ClaimsFixedLength, Sum, "a wrong number of vectors is refused"),
    (ClaimsRandomness, Sum, "another seed gives another start"),
    (WrongWidth, Concat, "its declared width is real"),
    (WrongCount, PositionSum, "its declared parameter count is real"),
    (WithoutCitation, Sum, "its facts are well formed"),
    (WrongFormula, Sum, "equals its float64 reference"),
    (RootOfVariance, Mean, "gradients are finite at ties and zeros"),
    (HiddenNaN, Sum, "no nan arises on the way"),
    (StoppedGradient, Sum, "gradients equal finite differences"),
    (RoundedToFloat32, Sum, "computes float64 in float64"),
    (CancelsInBfloat16, Sum, "bfloat16 stays near the reference"),
    (DrawsAtCallTime, Sum, "nothing is drawn at call time"),
    (CountsItsCalls, Sum, "a call changes no state"),
    (OneBatchAxis, Sum, "vmap scan and batch shape have no effect"),
    (SeedOfItsOwn, PositionSum, "another seed gives another start"),
    (SeedIsDropped, PositionSum, "another seed gives another start"),
]
BY_SENTENCE = {sentence(holds): holds for holds in PROPERTIES}


@pytest.mark.parametrize(
    ("faulty", "correct", "name"), FAULTS, ids=[f"{faulty.__name__}-{name}" for faulty, _, name in FAULTS]
)
def test_a_fault_is_found_and_its_correct_twin_passes(faulty, correct, name):
    found = try_property(BY_SENTENCE[name], Trial(faulty))
    assert found.status == "fail"
    assert found.reason
    assert "\n" not in found.reason
    assert try_property(BY_SENTENCE[name], Trial(correct)).status != "fail"


@pytest.mark.parametrize("correct", [Bilinear, Factors])
def test_the_twins_that_are_no_combiners_of_the_package_pass_everything(correct):
    assert [result for result in check(correct) if result.status == "fail"] == []


def test_what_cannot_be_made_fails_in_one_line_and_nothing_else_is_tried():
    class Unmakeable(Sum):
        def __init__(self, *, num_vectors, dim, rngs=None):
            super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
            self.factors = [jnp.ones(dim)]  # nnx itself refuses arrays in a plain list

    made, *others = check(Unmakeable)
    assert (made.name, made.status) == ("it can be made", "fail")
    assert "list" in made.reason
    assert {result.status for result in others} == {"skip"}
