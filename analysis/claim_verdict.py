"""What became of a claim: its verdict, and what each of its checks found."""

import dataclasses

VERDICTS = ("supported", "refuted", "undecided")


@dataclasses.dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
      statement: what is compared, for readers.
      where: the title of the experiment, or how an identity was computed.
      relation: above, within or below the bound.
      bound: in the unit of mean; None for an experiment that has no result.
      mean: over seeds, of an identity the largest difference; None where the check was not run.
      ci95: Student's interval of the mean over seeds; None for an identity, and for a single seed.
      num_seeds: 0 for an identity, and where the check was not run.
      is_difference: whether the weights cancel, so that the sign of the mean says which side is better.
      outcome: supported, refuted, undecided or not run.
      reason: why it was not run, or why nothing can be decided; '' else.
    """

    statement: str
    where: str
    relation: str
    bound: float | None
    mean: float | None
    ci95: tuple[float, float] | None
    num_seeds: int
    is_difference: bool
    outcome: str
    reason: str


@dataclasses.dataclass(frozen=True)
class ClaimVerdict:
    """What became of one claim.

    Attributes:
      name: its key.
      sentence: what people say.
      test: in words, as stated before the run.
      expected: the verdict that was expected before the run.
      verdict: supported if all checks are; else refuted if any is; else not run if any was not; else undecided.
      checks: what each found.
    """

    name: str
    sentence: str
    test: str
    expected: str
    verdict: str
    checks: tuple[Check, ...]

    @property
    def is_as_expected(self) -> bool | None:
        """Whether the verdict is the expected one; None where the claim was not run."""
        return None if self.verdict == "not run" else self.verdict == self.expected
