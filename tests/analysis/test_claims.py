"""Claims are judged by the tests stated beforehand, from intervals over seeds, and say what could not be judged."""

import json
import pathlib

import jax
import numpy as np
import pandas as pd
import pytest
from flax import nnx

from analysis.claims import check_claims, judge, write_claims
from analysis.claims_page import claims_page
from analysis.identities import IDENTITIES, TOLERANCE, Identity, sum_of_heads
from analysis.report.evidence import Arm, Evidence, Experiment, Failure
from combiners import make_combiner


def make_arm(label, per_seed, metric="accuracy", seeds=None, references=None):
    results = {
        "seeds": seeds or list(range(len(per_seed))),
        "metrics": {"test": {metric: {"per_seed": per_seed}}},
        "references": references or {},
    }
    return Arm(label, pathlib.Path(label), results, None, pd.DataFrame(), None)


def make_claim(*checks, expected="supported"):
    return {
        "sentence": "One is as good as the other.",
        "test": "one minus the other.",
        "expected": expected,
        "checks": list(checks),
    }


def contrast(relation="above", bound=0.0, weights=None, **fields):
    weights = weights or {"concat": 1, "sum": -1}
    return {
        "kind": "contrast",
        "experiment": "words",
        "weights": weights,
        "relation": relation,
        "bound": bound,
        **fields,
    }


def make_evidence(
    claims, arms, metric="accuracy", margin=0.005, failures=(), other_labels=(), experiments=None
):
    labels = [arm.label for arm in arms] + [failure.label for failure in failures] + list(other_labels)
    sweep = {
        "experiments": {"words": {"title": "Words of reviews"}},
        "arms": [{"experiment": "words", "label": label} for label in labels],
        "claims": claims,
    }
    experiment = Experiment(
        name="words",
        title="Words of reviews",
        question="",
        metric=metric,
        higher_is_better=metric == "accuracy",
        margin=margin,
        reference="sum",
        arms=tuple(arms),
        failures=tuple(failures),
    )
    found = (experiment,) if experiments is None else experiments
    return Evidence("claims", "python sweep.py --config=configs/sweeps/claims.py", found, (), sweep)


def judge_one(check, *arms, **fields):
    (verdict,) = judge(make_evidence({"one": make_claim(check)}, arms, **fields))
    return verdict.checks[0]


# --- A check ---


@pytest.mark.parametrize(
    ("relation", "bound", "expected"),
    [
        # The difference is 0.02 ± 0.0125 by Student's t with two degrees of freedom.
        ("above", 0.005, "supported"),
        ("above", 0.02, "undecided"),
        ("above", 0.04, "refuted"),
        ("below", 0.04, "supported"),
        ("below", 0.02, "undecided"),
        ("below", 0.005, "refuted"),
        ("within", 0.04, "supported"),
        ("within", 0.02, "undecided"),
        ("within", 0.005, "refuted"),
    ],
)
def test_an_interval_supports_refutes_or_leaves_open_by_where_it_lies(relation, bound, expected):
    check = judge_one(
        contrast(relation, bound),
        make_arm("concat", [0.815, 0.82, 0.825]),
        make_arm("sum", [0.8, 0.8, 0.8]),
    )
    assert check.mean == pytest.approx(0.02)
    assert check.ci95 == pytest.approx((0.02 - 0.012421, 0.02 + 0.012421), abs=1e-5)
    assert (check.outcome, check.num_seeds) == (expected, 3)


def test_arms_are_paired_by_seed():
    check = judge_one(
        contrast("above", 0.0), make_arm("concat", [0.5, 0.7, 0.9]), make_arm("sum", [0.49, 0.69, 0.89])
    )
    assert check.ci95 == pytest.approx((0.01, 0.01))
    assert check.outcome == "supported"


def test_weights_need_not_be_one_and_a_lone_arm_is_held_against_the_bound_itself():
    arms = [make_arm(label, [value] * 3) for label, value in (("a", 0.9), ("b", 0.8), ("c", 0.6))]
    mixed = judge_one(contrast(weights={"b": -0.5, "a": 1, "c": -0.5}), *arms)
    assert mixed.mean == pytest.approx(0.2)
    assert mixed.statement == "test accuracy: `a` − 0.5 `b` − 0.5 `c`"
    assert mixed.is_difference
    alone = judge_one(contrast("below", 0.7, weights={"c": 1}), *arms)
    assert (alone.mean, alone.outcome, alone.is_difference) == (pytest.approx(0.6), "supported", False)


def test_an_error_counts_negated_so_that_above_always_means_better():
    check = judge_one(
        contrast(),
        make_arm("concat", [0.8, 0.8, 0.8], metric="rmse"),
        make_arm("sum", [1.0, 1.0, 1.0], metric="rmse"),
        metric="rmse",
    )
    assert (check.mean, check.outcome) == (pytest.approx(0.2), "supported")
    assert check.statement == "negated test rmse: `concat` − `sum`"


def test_relative_to_a_reference_the_plain_ratio_counts_each_arm_by_its_own():
    arms = [
        make_arm(
            label, [value] * 2, metric="rmse", references={"bayes_optimal": {"test": {"rmse": reference}}}
        )
        for label, value, reference in (("sum", 0.2, 0.1), ("concat", 0.3, 0.2))
    ]
    check = judge_one(contrast("below", -0.4, relative_to="bayes_optimal"), *arms, metric="rmse")  # 1.5 - 2.0
    assert (check.mean, check.outcome) == (pytest.approx(-0.5), "supported")
    assert check.statement.startswith("test rmse over that of bayes optimal: ")


@pytest.mark.parametrize(("bound", "number"), [("margin", 0.03), ("-margin", -0.03), (1, 1.0)])
def test_a_bound_may_be_the_margin_of_the_experiment(bound, number):
    arms = [make_arm("concat", [0.8, 0.8]), make_arm("sum", [0.8, 0.8])]
    assert judge_one(contrast("above", bound), *arms, margin=0.03).bound == number


def test_a_single_seed_decides_nothing():
    check = judge_one(contrast(), make_arm("concat", [0.9]), make_arm("sum", [0.1]))
    assert (check.outcome, check.ci95, check.reason) == ("undecided", None, "a single seed has no interval")


# --- What was not run ---


def test_a_diverged_seed_an_absent_arm_and_seeds_that_differ_are_not_run_with_the_reason():
    concat, total = make_arm("concat", [0.9, 0.9], seeds=[4, 7]), make_arm("sum", [0.8, 0.8], seeds=[4, 7])

    def reason(*arms, **fields):
        check = judge_one(contrast(), *arms, **fields)
        assert (check.outcome, check.mean) == ("not run", None)
        return check.reason

    assert reason(concat, make_arm("sum", [0.8, None], seeds=[4, 7])) == "`sum` diverged with seed 7"
    failed = Failure("sum", pathlib.Path("sum"), "out of memory")
    assert reason(concat, failures=[failed]) == "`sum` has no result: out of memory"
    assert reason(concat, other_labels=["sum"]) == "`sum` has no result: it could not be read"
    assert "different seeds" in reason(concat, make_arm("sum", [0.8, 0.8], seeds=[0, 1]))
    assert reason(concat, total, experiments=()) == "the experiment has no result yet"
    check = judge_one(contrast(relative_to="ridge"), concat, total)
    assert check.reason == "`concat` has no reference 'ridge' of the test accuracy"


# --- A claim ---

ARMS = [
    make_arm("concat", [0.59, 0.61, 0.6]),
    make_arm("sum", [0.5, 0.5, 0.5]),
]  # a difference of 0.1 ± 0.025
SUPPORTED, REFUTED, UNDECIDED = contrast("above", 0.0), contrast("below", 0.0), contrast("above", 0.1)
NOT_RUN = contrast("above", 0.0, weights={"absent": 1})


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([SUPPORTED, SUPPORTED], "supported"),
        ([SUPPORTED, REFUTED, NOT_RUN, UNDECIDED], "refuted"),
        ([SUPPORTED, NOT_RUN, UNDECIDED], "not run"),
        ([SUPPORTED, UNDECIDED], "undecided"),
    ],
)
def test_a_claim_needs_all_checks_and_falls_with_one(checks, expected):
    (verdict,) = judge(make_evidence({"one": make_claim(*checks)}, ARMS, other_labels=["absent"]))
    assert verdict.verdict == expected
    assert verdict.is_as_expected is (None if expected == "not run" else expected == "supported")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"expected": "true"},
            "claims.one.expected must be one of supported, refuted, undecided, got 'true'",
        ),
        ({"checks": []}, "claims.one lacks checks"),
        ({"checks": [{"kind": "contrst"}]}, r"checks\[0\]: kind must be one of contrast, identity"),
        ({"checks": [{"kind": "contrast", "bound": 1}]}, "a contrast needs experiment, weights, relation"),
        (
            {"checks": [SUPPORTED, {"kind": "identity", "name": "head"}]},
            r"checks\[1\]: no identity 'head' \(did you mean 'heads'\?\)",
        ),
        ({"checks": [contrast(experiment="word")]}, r"no experiment 'word' \(did you mean 'words'\?\)"),
        ({"checks": [contrast(weights={"summ": 1})]}, r"words has no arm 'summ' \(did you mean 'sum'\?\)"),
        ({"checks": [contrast(weights={"sum": 0})]}, "its weights are all zero"),
        ({"checks": [contrast("over")]}, "relation must be one of above, within, below, got 'over'"),
        ({"checks": [contrast(bound="margins")]}, "bound must be a number, 'margin' or '-margin'"),
        ({"checks": [contrast(bound="margin", relative_to="ridge")]}, "give the bound as a number"),
        ({"checks": [contrast("within", -0.1)]}, "within a bound means from −bound to bound"),
    ],
)
def test_a_claim_that_cannot_be_judged_is_refused(changed, message):
    claims = {"one": {**make_claim(SUPPORTED), **changed}}
    with pytest.raises(ValueError, match=message):
        check_claims(claims, {"words": ["sum", "concat"]})


def test_everything_that_is_wrong_is_named_at_once():
    claims = {
        "one": make_claim(contrast(weights={"a": 1})),
        "two": make_claim(contrast(weights={"b": 1}), expected="?"),
    }
    with pytest.raises(ValueError, match=r"claims.one.*'a'.*claims.two.*'\?'.*claims.two.*'b'"):
        check_claims(claims, {"words": ["sum"]})


def test_a_sweep_without_claims_is_refused():
    with pytest.raises(ValueError, match="claims states no claims"):
        judge(make_evidence({}, ARMS))


# --- The page ---


def test_the_page_shows_what_is_said_the_verdict_and_the_numbers():
    claims = {
        "better": make_claim(SUPPORTED),
        "worse": make_claim(REFUTED),
        "later": make_claim(NOT_RUN),
        "same": make_claim({"kind": "identity", "name": "concat_is_sum"}),
    }
    page = claims_page(judge(make_evidence(claims, ARMS, other_labels=["absent"])), "python sweep.py --x")
    assert (
        "Of 4 sentences: 2 supported, 1 refuted, 1 not run. 1 of the 3 verdicts is not as expected." in page
    )
    row = "| [1](#claim-1) | One is as good as the other. | **supported** | supported | {} |"
    assert row.format("+0.1000 [+0.0752, +0.1248], above 0") in page
    assert "| **refuted** (!) | supported | +0.1000 [+0.0752, +0.1248], below 0 |" in page
    assert '<a id="claim-2"></a>\n\n## 2. One is as good as the other.' in page
    assert "**Refuted** on this data, with these models; **not as expected**, which was supported." in page
    assert "**Not run**; expected was supported." in page
    assert "**Supported** by computation; as expected." in page
    assert "Test, as stated beforehand: one minus the other." in page
    check = "| test accuracy: `concat` − `sum` | Words of reviews | +0.1000 | +0.0752 to +0.1248 | above 0 | 3 | {} |"
    assert check.format("supported") in page
    assert check.format("refuted").replace("above", "below") in page
    assert "not run: `absent` has no result: it could not be read |" in page
    assert "`python sweep.py --x`" in page
    widths = {line.count("|") for line in page.splitlines() if line.startswith("| ")}
    assert widths == {6, 8}  # no cell breaks its table


def write_sweep(folder, claims, per_seed):
    arms = []
    for label, values in per_seed.items():
        final = folder / "trials" / "words" / label / "final"
        final.mkdir(parents=True)
        accuracy = {"per_seed": values, "mean": float(np.mean(values)), "ci95": None}
        results = {
            "task": "sentiment",
            "combiner": label,
            "dataset": "reviews",
            "match": "width",
            "seeds": list(range(len(values))),
            "metrics": {"test": {"accuracy": accuracy}, "validation": {"accuracy": accuracy}},
            "num_params": {"embedding": 10, "other": 2, "total": 12},
            "num_examples": {"train": 10, "validation": 5, "test": 5},
            "timing": {"train_seconds": 1.0, "compile_seconds": 1.0},
            "epochs": [2] * len(values),
            "best_epoch": [2] * len(values),
            "combined_width": 4,
            "diverged": {},
            "references": {},
            "config": {"data": {}, "model": {}},
            "versions": {},
            "device": "cpu",
        }
        (final / "results.json").write_text(json.dumps(results))
        arms.append(
            {"experiment": "words", "label": label, "folder": f"trials/words/{label}", "overrides": {}}
        )
    words = {"title": "Words", "question": "", "reference": "sum", "metric": "accuracy", "margin": None}
    sweep = {"name": "said", "command": "python sweep.py", "experiments": {"words": {**words, "base": {}}}}
    (folder / "sweep.json").write_text(json.dumps({**sweep, "arms": arms, "claims": claims}))


def test_the_files_are_written_from_the_folder_of_a_sweep(tmp_path):
    claims = {"better": make_claim(contrast("above", "margin"))}
    write_sweep(tmp_path / "sweep", claims, {"sum": [0.5, 0.5, 0.5], "concat": [0.59, 0.61, 0.6]})
    told = write_claims(tmp_path / "sweep", tmp_path / "docs" / "claims.md")
    assert told.splitlines()[0] == "supported: better"
    assert "+0.1000 [+0.0752, +0.1248], above 0.005" in (tmp_path / "docs" / "claims.md").read_text()
    content = json.loads((tmp_path / "docs" / "claims.json").read_text())
    check = content["claims"]["better"]["checks"][0]
    assert (check["mean"], check["bound"]) == (pytest.approx(0.1), 0.005)
    assert check["ci95"] == pytest.approx([0.0752, 0.1248], abs=1e-4)


# --- Identities ---


@pytest.mark.parametrize("name", IDENTITIES)
def test_an_identity_holds_to_rounding_and_leaves_the_precision_of_jax_as_it_was(name):
    before = jax.numpy.ones(1).dtype
    assert 0 < IDENTITIES[name].difference(np.random.default_rng(1)) < 1e-12 < TOLERANCE
    assert jax.numpy.ones(1).dtype == before == np.float32


def test_an_identity_that_does_not_hold_refutes_its_claim(monkeypatch):
    monkeypatch.setitem(IDENTITIES, "wrong", Identity("1 = 1.001", lambda rng: 1e-3))
    (verdict,) = judge(make_evidence({"one": make_claim({"kind": "identity", "name": "wrong"})}, ARMS))
    assert (verdict.verdict, verdict.checks[0].mean) == ("refuted", 1e-3)


def test_the_sum_of_heads_is_the_combiner_only_with_the_map_of_the_right_head():
    x = np.random.default_rng(0).normal(size=(3, 5, 4))
    combiner = make_combiner("multi_head_attention", num_vectors=5, dim=4, rngs=nnx.Rngs(0), num_heads=2)
    key, value, out = (
        np.asarray(layer.kernel[...], float) for layer in (combiner.key, combiner.value, combiner.out)
    )
    heads = (x, np.ones((3, 5), bool), np.zeros((2, 2)), key, value)
    y = np.asarray(combiner(x.astype(np.float32)))
    np.testing.assert_allclose(sum_of_heads(*heads, out), y, atol=1e-5)
    assert np.abs(sum_of_heads(*heads, out[::-1]) - y).max() > 0.1


def test_one_head_with_one_vector_present_is_that_vector_mapped_twice():
    x, mask = np.array([[[1.0, 2.0], [9.0, 9.0]]]), np.array([[True, False]])
    value, out = np.array([[[1.0]], [[3.0]]]), np.array([[[2.0, -1.0]]])
    y = sum_of_heads(x, mask, np.ones((1, 1)), np.ones((2, 1, 1)), value, out)
    np.testing.assert_allclose(y, [[14.0, -7.0]])  # (1·1 + 2·3) times (2, −1)
