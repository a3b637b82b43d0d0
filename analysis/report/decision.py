"""Which arm to use: the best, those tied with it, those worse, and what is left open."""

import dataclasses

from .costs import cost
from .evidence import Experiment
from .sentences import decision_sentences
from .verdicts import Verdict, judge

__all__ = ["Decision", "Verdict", "decide"]


@dataclasses.dataclass(frozen=True)
class Decision:
    """What to do, and how sure that is.

    Attributes:
      experiment: its name.
      recommended: the label of the arm with the best mean; None if none has one.
      cheapest: of that arm and those tied with it, the one with the fewest parameters, then FLOPs, then the shortest
        step; None if nothing is recommended.
      verdicts: one per arm, in the experiment's order.
      sentences: the same in plain words; labels stand in backticks.
    """

    experiment: str
    recommended: str | None
    cheapest: str | None
    verdicts: tuple[Verdict, ...]
    sentences: tuple[str, ...]


def decide(experiment: Experiment) -> Decision:
    """Recommends an arm and says how every other stands beside it.

    The recommended arm has the best mean of the test metric among those of which every seed is finite; of equal ones
    the cheapest. Another arm is *tied* with it if the 95% interval of their difference, paired by seed, lies within
    ±margin (equivalence, Schuirmann 1987, stricter than his two one-sided tests at 5%: here each is at 2.5%), even if
    it is significant; *worse* if it is not tied and the paired t test's p, Holm's over all pairs of arms, is below
    0.05 (`compare_arms` says why all pairs); *undecided* otherwise: that a difference is not significant does not make
    a tie.

    That holds for these test examples. For others drawn like them the examples are a second source of error, which no
    number of seeds takes away: SE = √(SE_seeds² + SE_items²), SE_items from a bootstrap over examples of the seed-mean
    difference, paired by example, with Welch and Satterthwaite's degrees of freedom (Satterthwaite 1946); interval
    and p are never taken to be narrower or smaller than for these examples.
    """
    recommended, verdicts = judge(experiment)
    tied = {v.label for v in verdicts if v.outcome in ("recommended", "tied")}
    cheapest = min((arm for arm in experiment.arms if arm.label in tied), key=cost, default=None)
    return Decision(
        experiment=experiment.name,
        recommended=recommended,
        cheapest=None if cheapest is None else cheapest.label,
        verdicts=verdicts,
        sentences=decision_sentences(experiment, recommended, cheapest, verdicts),
    )
