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
    "Rank: by mean. Its interval holds for all arms at once: from one more than the arms that are significantly better "
    "to as many as are not significantly worse, by Holm's adjusted p over all pairs of arms (so do Al Mohamad, Goeman "
    "& van Zwet, 2022, Simultaneous Confidence Intervals for Ranks with Application to Ranking Institutions, with "
    "Tukey's test in Holm's place).",
    "Tied: the 95% interval of the difference lies within ±margin (equivalence, Schuirmann, 1987). Worse: adjusted "
    "p < 0.05. Undecided: neither; a lack of significance is no tie.",
    "Models without a combiner have one result each, on the same examples; it is compared with an arm's mean "
    "without an interval.",
    "Step time: of one optimiser step of one seed, the least over the epochs, so that other work on the machine counts "
    "little; of runs that did not measure that, the mean over the whole training.",
    "Across experiments: an arm's interquartile mean is the mean of the middle half (the statistic of Agarwal et al., "
    "2021) of its normalised scores, one per experiment, each made from the arm's mean over seeds; Agarwal et al. take "
    "it over single runs. Mean ranks, Friedman's test and Nemenyi's critical differences are those of Demšar "
    "(2006, Statistical Comparisons of Classifiers over Multiple Data Sets).",
    "Tuning: learning rate and embedding scale were chosen on validation, from the same grid with the same seeds for "
    "every arm; the test split was used once, with the chosen setting on fresh seeds. Runs given one by one were tuned "
    "elsewhere or not at all.",
    "Colours: Okabe & Ito (2008, Color Universal Design).",
)
