"""The decision names the best arm, calls tied what is tied, finds what is worse, and says what is left open."""

import pathlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from analysis.report.decision import decide
from analysis.report.evidence import Failure


def outcomes(decision):
    return {verdict.label: verdict.outcome for verdict in decision.verdicts}


def around(mean, spread, num_seeds):
    """Returns values of exactly that mean and standard deviation."""
    values = np.linspace(-1, 1, num_seeds)
    return mean + spread * values / values.std(ddof=1)


def arms_alike(rng, num_arms, num_seeds, spread=0.01):
    return {f"arm{i}": rng.normal(0.75, spread, num_seeds) for i in range(num_arms)}


def test_a_difference_of_three_standard_deviations_is_found_with_ten_seeds(make_experiment):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(150):
        arms = arms_alike(rng, 10, 10)
        arms["arm0"] += 0.03
        verdicts = outcomes(decide(make_experiment(arms)))
        assert verdicts.pop("arm0") == "recommended"
        found += [outcome == "worse" for outcome in verdicts.values()]
    assert np.mean(found) >= 0.90


@pytest.mark.parametrize("num_arms", [3, 10])
def test_arms_that_are_alike_are_seldom_called_worse(make_experiment, num_arms):
    rng = np.random.default_rng(1)
    false = [
        "worse" in outcomes(decide(make_experiment(arms_alike(rng, num_arms, 10)))).values()
        for _ in range(150)
    ]
    assert np.mean(false) <= 0.05 + 3 * (0.05 * 0.95 / 150) ** 0.5


def share_within(margin, spread, num_seeds):
    """Returns how often a paired interval of arms that are alike lies within the margin, by integration.

    Mean and standard deviation of the differences are independent, one normal, the other of the chi distribution.
    """
    error, freedom = spread * np.sqrt(2 / num_seeds), num_seeds - 1
    half = stats.t.ppf(0.975, freedom) * error / np.sqrt(freedom)  # of the interval, for each unit of chi
    return integrate.quad(
        lambda chi: stats.chi.pdf(chi, freedom) * (2 * stats.norm.cdf((margin - half * chi) / error) - 1),
        0,
        margin / half,
    )[0]


def test_arms_that_are_alike_are_called_tied_as_often_as_their_spread_allows(make_experiment):
    rng = np.random.default_rng(2)
    spread = 0.0016  # over seeds, with a margin of 0.005
    expected = share_within(0.005, spread, 5)
    assert expected == pytest.approx(0.90, abs=0.02)
    tied = [
        "tied" in outcomes(decide(make_experiment(arms_alike(rng, 2, 5, spread)))).values()
        for _ in range(600)
    ]
    assert np.mean(tied) == pytest.approx(expected, abs=3 * (0.9 * 0.1 / 600) ** 0.5)


def test_arms_beyond_the_margin_are_seldom_called_tied(make_experiment):
    rng = np.random.default_rng(3)
    wrong = []
    for _ in range(150):
        arms = {"sum": rng.normal(0.75, 0.004, 5), "max": rng.normal(0.744, 0.004, 5)}  # margin 0.005
        wrong.append("tied" in outcomes(decide(make_experiment(arms))).values())
    assert np.mean(wrong) <= 0.05


def test_a_difference_that_is_not_significant_is_undecided_and_not_tied(make_experiment):
    decision = decide(
        make_experiment({"sum": around(0.75, 0.02, 5), "max": around(0.74, 0.02, 5)[[2, 0, 4, 1, 3]]})
    )
    assert outcomes(decision) == {"sum": "recommended", "max": "undecided"}
    assert decision.cheapest == "sum"
    assert decision.verdicts[1].difference.mean == pytest.approx(-0.01)


def test_an_interval_within_the_margin_is_a_tie_even_where_it_is_significant(make_experiment):
    arms = {"sum": around(0.75, 0.01, 5), "max": around(0.75, 0.01, 5) - around(0.002, 0.0001, 5)}
    decision = decide(make_experiment(arms))
    assert decision.verdicts[1].difference.p_value < 0.001
    assert outcomes(decision)["max"] == "tied"


def test_so_many_more_seeds_settle_an_undecided_arm(make_experiment):
    zigzag = np.array([1.0, -1.0])

    def experiment(num_seeds):
        common = around(0.75, 0.01, num_seeds)
        d = np.resize(zigzag, num_seeds)
        d = 0.004 + 0.006 * (d - d.mean()) / d.std(ddof=1)
        return make_experiment({"sum": common, "max": common - d})

    verdict = decide(experiment(6)).verdicts[1]
    assert verdict.outcome == "undecided"
    assert decide(experiment(6 + verdict.more_seeds)).verdicts[1].outcome != "undecided"
    assert decide(experiment(5 + verdict.more_seeds)).verdicts[1].outcome == "undecided"


def test_where_no_number_of_seeds_would_do_the_sentence_says_so(make_experiment):
    decision = decide(make_experiment({"sum": [0.7, 0.8], "max": [0.8, 0.7 - 1e-6]}, margin=0.0))
    assert decision.verdicts[1].more_seeds is None
    assert any("even 1,000 seeds would hardly settle it" in said for said in decision.sentences)


@given(order=st.permutations(range(5)), seed=st.integers(0, 20))
def test_the_order_of_the_arms_changes_no_verdict(make_arm, make_experiment, order, seed):
    rng = np.random.default_rng(seed)
    items = rng.random((5, 4, 60)) < np.array([0.5, 0.5, 0.7, 0.9, 0.9])[:, None, None]
    items[4] = items[3]
    arms = [make_arm(f"arm{i}", rows.mean(1), items=rows) for i, rows in enumerate(items)]
    decision, permuted = decide(make_experiment(arms)), decide(make_experiment([arms[i] for i in order]))
    assert outcomes(decision) == outcomes(permuted)
    assert (decision.recommended, decision.cheapest) == (permuted.recommended, permuted.cheapest)


@given(seed=st.integers(0, 50))
def test_a_metric_turned_round_gives_the_same_decision(make_experiment, seed):
    rng = np.random.default_rng(seed)
    arms = {f"arm{i}": 0.75 + rng.normal(0, 0.01) + rng.normal(0, 0.005, 4) for i in range(4)}
    up = decide(make_experiment(arms))
    down = decide(make_experiment({label: -values for label, values in arms.items()}, higher_is_better=False))
    assert (up.recommended, outcomes(up)) == (down.recommended, outcomes(down))
    for one, other in zip(up.verdicts, down.verdicts, strict=True):
        assert one.more_seeds == other.more_seeds
        if one.difference is not None:
            assert one.difference.ci95 == pytest.approx(other.difference.ci95)


def with_items(make_arm, label, right_by_seed, num_items, rng, **options):
    """Makes an arm whose seeds are right on a given share of examples, which are drawn."""
    items = rng.random((len(right_by_seed), num_items)) < np.asarray(right_by_seed)[:, None]
    return make_arm(label, items.mean(axis=1), items=items, **options)


def test_what_holds_for_these_examples_may_be_open_for_others(make_arm, make_experiment):
    rng = np.random.default_rng(0)
    # Every seed gives the same answers, so seeds tell the arms apart; the 200 examples do not.
    sum_items = np.repeat(rng.random((1, 200)) < 0.75, 5, axis=0)
    max_items = np.repeat(rng.random((1, 200)) < 0.75, 5, axis=0)
    max_items[0, :2], sum_items[1, :2] = ~max_items[0, :2], ~sum_items[1, :2]
    arms = [
        make_arm(label, items.mean(axis=1), items=items)
        for label, items in (("sum", sum_items), ("max", max_items))
    ]
    decision = decide(make_experiment(arms))
    verdict = next(v for v in decision.verdicts if v.outcome != "recommended")
    assert (verdict.outcome, verdict.new_items_outcome) == ("worse", "undecided")
    assert verdict.new_items_ci95[0] < verdict.difference.ci95[0]
    assert any(
        said.startswith(f"On these 200 test examples `{verdict.label}` is worse; with other examples")
        for said in decision.sentences
    )


def test_the_interval_for_other_examples_holds_as_often_as_it_says(make_arm, make_experiment):
    rng = np.random.default_rng(1)
    truth, held, inside = 0.02, [], []
    for _ in range(150):
        difficulty = rng.normal(0, 0.3, (2, 1, 300))  # of each example for either arm, whatever the seed
        skill = rng.normal(0, 0.01, (2, 5, 1))
        chance = np.array([0.76, 0.74])[:, None, None] + difficulty + skill
        a, b = (
            make_arm(label, rows.mean(1), items=rows)
            for label, rows in zip("ab", chance + rng.normal(0, 0.1, chance.shape), strict=True)
        )
        decision = decide(make_experiment([a, b]))
        verdict = next(v for v in decision.verdicts if v.outcome != "recommended")
        sign = 1 if verdict.label == "b" else -1
        low, high = sorted(-sign * end for end in verdict.new_items_ci95)
        held.append(low <= truth <= high)
        low, high = sorted(-sign * end for end in verdict.difference.ci95)
        inside.append(low <= truth <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.06)
    assert np.mean(inside) < 0.9  # seeds alone do not know of other examples


def test_arms_that_answer_alike_stay_tied_for_other_examples(make_arm, make_experiment):
    items = np.random.default_rng(0).random((3, 100)) < 0.7
    arms = [make_arm(label, items.mean(1), items=items) for label in ("concat", "padded_sum")]
    verdict = decide(make_experiment(arms)).verdicts[1]
    assert (verdict.outcome, verdict.new_items_outcome, verdict.new_items_ci95) == ("tied", "tied", (0, 0))


def test_of_tied_arms_the_cheapest_is_named_by_parameters_then_flops_then_time(make_arm, make_experiment):
    values = [0.75, 0.76, 0.74]
    faster = {"timing": {"train_seconds": 5.0}}
    arms = [
        make_arm("a", values, total=2000),
        make_arm("b", values, total=1000, flops_per_example=None, **faster),
        make_arm("c", values, total=1000, flops_per_example=64),
        make_arm("d", values, total=1000, flops_per_example=64, **faster),
    ]
    assert decide(make_experiment(arms)).cheapest == "d"
    assert decide(make_experiment(arms[:3])).cheapest == "c"
    assert decide(make_experiment(arms[:2])).cheapest == "b"


def test_an_arm_with_a_diverged_seed_is_neither_recommended_nor_compared(make_experiment):
    decision = decide(make_experiment({"sum": [0.7, 0.71, 0.72], "product": [0.9, np.nan, 0.9]}))
    assert outcomes(decision) == {"sum": "recommended", "product": "incomparable"}
    assert "Not compared, because a seed diverged: `product`." in decision.sentences


def test_a_single_seed_recommends_but_settles_nothing(make_experiment):
    decision = decide(make_experiment({"sum": [0.7], "max": [0.8]}))
    assert outcomes(decision) == {"sum": "incomparable", "max": "recommended"}
    assert decision.sentences[0] == "`max` is recommended: test accuracy 0.800 (1 seed)."
    assert "nothing can be said of the difference" in decision.sentences[1]


def test_a_single_arm_has_nothing_beside_it(make_experiment):
    decision = decide(make_experiment({"sum": [0.7, 0.71, 0.72]}))
    assert outcomes(decision) == {"sum": "recommended"}
    assert "only arm" in decision.sentences[1]


@pytest.mark.parametrize("arms", [{}, {"sum": [np.nan, 0.7]}])
def test_without_a_whole_result_nothing_is_recommended(make_experiment, arms):
    decision = decide(make_experiment(arms))
    assert (decision.recommended, decision.cheapest) == (None, None)
    assert decision.sentences[0].startswith("Nothing can be recommended")


def test_the_sentences_are_plain_words(make_arm, make_experiment):
    base = around(0.755, 0.006, 5)
    arms = [
        make_arm("mean", base, total=1_164_290),
        make_arm("sum", base - around(0.001, 0.001, 5)[[1, 3, 0, 4, 2]], total=1_000_000),
        make_arm("concat", base - around(0.05, 0.003, 5)[[1, 3, 0, 4, 2]]),
        make_arm("max", base - around(0.004, 0.008, 5)[[1, 3, 0, 4, 2]]),
    ]
    assert decide(make_experiment(arms)).sentences == (
        "`mean` is recommended: test accuracy 0.755 (0.748 to 0.762, 5 seeds).",
        "Tied with it, within ±0.005: `sum` (−0.001, −0.002 to 0.000); it is the cheaper one (1 M parameters).",
        "Worse: `concat` (−0.050, −0.054 to −0.046).",
        "Undecided: `max` (−0.004, −0.014 to +0.006; 27 more seeds). That many more seeds would probably settle it on "
        "these test examples.",
        "In brackets: the difference from `mean` in test accuracy (minus is worse than `mean`), and its 95% interval.",
    )


def test_an_interval_without_zero_that_the_correction_leaves_open_is_explained(make_experiment):
    base = around(0.755, 0.006, 5)
    arms = {"mean": base, "sum": base - around(0.008, 0.005, 5)[[1, 3, 0, 4, 2]]}
    arms |= {f"arm{i}": base - around(0.1, 0.004, 5)[[1, 3, 0, 4, 2]] for i in range(3)}
    decision = decide(make_experiment(arms))
    verdict = decision.verdicts[1]
    assert (verdict.outcome, verdict.difference.p_value < 0.05) == ("undecided", True)
    assert (
        "The interval of `sum` excludes 0, but not after Holm's correction for 10 comparisons, so that the order may "
        "yet be chance."
    ) in decision.sentences
    assert not any(
        "Holm" in said for said in decide(make_experiment({"a": [0.7, 0.8], "b": [0.6, 0.8]})).sentences
    )


def test_one_more_seed_is_told_in_the_singular(make_experiment):
    base = around(0.755, 0.006, 5)
    lower = base - around(0.01, 0.0081, 5)[[1, 3, 0, 4, 2]]
    (said,) = (s for s in decide(make_experiment({"mean": base, "sum": lower})).sentences if "Undecided" in s)
    assert "; 1 more seed)" in said


def test_a_decision_before_all_arms_have_a_result_says_so(make_experiment):
    failure = Failure("gru", pathlib.Path("gru"), "not run yet")
    sentences = decide(
        make_experiment({"sum": [0.7, 0.71], "max": [0.8, 0.81]}, failures=(failure,))
    ).sentences
    assert sentences[0] == "So far: 2 of 3 arms have a result."
    assert sentences[1].startswith("`max` is recommended so far: ")
    nothing = decide(make_experiment({"sum": [np.nan, 0.7]}, reference="sum", failures=(failure,))).sentences
    assert nothing[0] == "So far: 1 of 2 arms have a result."


@pytest.mark.parametrize(
    ("metric", "margin", "values", "said"),
    [
        (
            "accuracy",
            0.005,
            {"naive_bayes": 0.77, "ridge": 0.751, "logistic": 0.747, "majority": 0.5},
            [
                "Without a combiner, naive bayes (0.770) and ridge (0.751) beat `sum`.",
                "Without a combiner, logistic (0.747) comes within the margin of `sum`.",
            ],
        ),
        ("accuracy", 0.005, {"bayes_optimal": 0.9, "majority": 0.5}, []),
        ("rmse", 0.01, {"ridge": 0.70, "mean": 0.9}, ["Without a combiner, ridge (0.700) beats `sum`."]),
    ],
)
def test_models_without_a_combiner_that_do_as_well_are_named(
    make_arm, make_experiment, metric, margin, values, said
):
    references = {name: {"test": {metric: value}} for name, value in values.items()}
    arms = [make_arm("sum", [0.749, 0.75, 0.751], metric=metric, references=references)]
    sentences = decide(make_experiment(arms, metric=metric, margin=margin)).sentences
    assert [s for s in sentences if s.startswith("Without a combiner")] == said


def test_an_error_is_told_with_its_sign_turned(make_experiment):
    arms = {"sum": around(0.8929, 0.0004, 5), "product": around(0.8842, 0.0004, 5)}
    sentences = decide(make_experiment(arms, metric="rmse", margin=0.0089)).sentences
    assert sentences[0] == "`product` is recommended: test RMSE 0.8842 (0.8837 to 0.8847, 5 seeds)."
    assert "with its sign turned" in sentences[-1]
