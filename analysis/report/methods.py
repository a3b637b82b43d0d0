"""How a report's numbers were made: each statistical method in a line, with its source."""

METHODS = (
    "Interval over seeds: Student's t, mean ± t·s/√n over the final seeds (Student, 1908, The Probable Error of a "
    "Mean). Seeds are never resampled: a bootstrap of five is far too narrow.",
    "Interval over test examples: percentile bootstrap of the examples, seeds held fixed (Efron & Tibshirani, 1993, An "
    "Introduction to the Bootstrap). It says how far other test examples would move the number.",
    "Difference: paired t by seed where arms share their seeds, Welch's t otherwise (Welch, 1947).",
    "Adjusted p: Holm's step-down correction (Holm, 1979, A Simple Sequentially Rejective Multiple Test Procedure): in "
    "the table over all comparisons with the reference, for verdicts over all pairs of arms.",
    "Effect size: Cohen's d_z, the mean paired difference over its standard deviation (Cohen, 1988, Statistical Power "
    "Analysis).",
    "P(better): Mann and Whitney's probability that a run of the arm beats a run of the reference, ties counting half "
    "(Agarwal et al., 2021, Deep Reinforcement Learning at the Edge of the Statistical Precipice), with Newcombe's "
    "score interval (Newcombe, 2006).",
    "Rank: by mean, with the simultaneous interval that pairwise tests leave open (Mohamad, van Zwet, Goeman & Solari, "
    "2022, Simultaneous Confidence Intervals for Ranks Using the Partitioning Principle).",
    "Tied: the 95% interval of the difference lies within ±margin (equivalence, Schuirmann, 1987). Worse: adjusted "
    "p < 0.05. Undecided: neither; a lack of significance is no tie.",
    "Across experiments: interquartile mean of normalised scores (Agarwal et al., 2021); mean ranks, Friedman's test "
    "and Nemenyi's critical differences (Demšar, 2006, Statistical Comparisons of Classifiers over Multiple Data "
    "Sets).",
    "Tuning: learning rate and embedding scale were chosen on validation, from the same grid with the same seeds for "
    "every arm; the test split was used once, with the chosen setting on fresh seeds. Runs given one by one were tuned "
    "elsewhere or not at all.",
    "Colours: Okabe & Ito (2008, Color Universal Design).",
)
