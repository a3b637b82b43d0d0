"""The pages hold the decision first, every arm, and all they need; nothing in them comes from elsewhere."""

import html.parser
import json
import re

import pytest

from analysis.findings import write_findings
from analysis.report import write_report


@pytest.fixture(scope="module")
def report(sweep, tmp_path_factory):
    """A written report: (its folder, what the terminal shows)."""
    output = tmp_path_factory.mktemp("report")
    return output, write_report(sweep, output)


def test_the_report_is_complete_and_nothing_else_is_left_behind(report):
    output, _ = report
    assert {path.name for path in output.iterdir()} == {
        "report.html",
        "report.md",
        "results.parquet",
        "results.csv",
        "tuning.parquet",
        "tuning.csv",
        "configs.json",
        "figures",
    }


def test_both_pages_say_the_same_in_the_same_order(report):
    output, terminal = report
    markdown, page = ((output / name).read_text() for name in ("report.md", "report.html"))
    titles = ["Decision", "Results", "Figures", "Across experiments", "Warnings", "Methods", "Provenance"]
    assert re.findall(r"^## (.*)$", markdown, re.M) == titles
    assert re.findall(r"<h2>(.*)</h2>", page) == titles
    sentence = next(line.strip() for line in terminal.splitlines() if "recommended" in line)
    assert f"- {sentence}" in markdown
    assert re.sub(r"`([^`]+)`", r"<code>\1</code>", sentence) in page


def test_every_arm_has_a_row_and_so_has_what_needs_no_combiner(report):
    markdown = (report[0] / "report.md").read_text()
    arms = markdown[
        markdown.index("Combiners on rotten_tomatoes: arms") : markdown.index("movielens_small: arms")
    ]
    rows = [line for line in arms.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in rows} == {rows[0].count("|")}
    assert {row.split("|")[1].strip().strip("`") for row in rows[2:]} >= {"sum", "gated_sum", "naive bayes"}
    assert rows[0].count("embedding parameters") == 1


def test_failed_and_unfinished_arms_are_warned_of(report):
    markdown = (report[0] / "report.md").read_text()
    warnings = markdown[markdown.index("## Warnings") : markdown.index("## Methods")]
    assert "out of memory: 3 GB asked for" in warnings
    assert "not run yet" in warnings


def test_provenance_names_command_versions_device_data_and_configs(report):
    output, _ = report
    markdown, page = ((output / name).read_text() for name in ("report.md", "report.html"))
    for text in (markdown, page):
        assert "python sweep.py --config=configs/sweeps/combiners.py" in text
        assert "jax 0.10.1" in text
        assert "abababababababab" in text
    configs = json.loads((output / "configs.json").read_text())
    assert configs["ratings"]["concat"]["model"]["combiner"] == "concat"
    assert "](configs.json)" in markdown
    assert page.count("<details>") == 2 * (1 + 8)


def test_the_links_of_the_markdown_page_lead_to_files(report):
    output, _ = report
    links = re.findall(r"\]\(([^)]+)\)", (output / "report.md").read_text())
    assert len(links) > 8
    assert all((output / link).exists() for link in links)


def test_the_html_page_is_well_formed_and_fetches_nothing(report):
    page = (report[0] / "report.html").read_text()
    found = {"open": [], "sources": [], "fetching": []}
    void = {"meta", "img", "br", "link"}

    class Parser(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in void:
                found["open"].append(tag)
            if tag in ("script", "link", "iframe", "object"):
                found["fetching"].append(tag)
            found["sources"] += [value for name, value in attrs if name in ("src", "href")]

        def handle_endtag(self, tag):
            assert found["open"].pop() == tag

    Parser().feed(page)
    assert found["open"] == []
    assert found["fetching"] == []
    assert len(found["sources"]) == len(list((report[0] / "figures").iterdir()))
    assert all(source.startswith("data:image/png;base64,") for source in found["sources"])
    assert not re.search(r"url\(|@import|https?://", page)
    assert 'name="viewport"' in page


def test_what_comes_from_results_is_escaped(make_run, tmp_path):
    runs = [make_run("a", "sum"), make_run("b", "<script>alert(1)</script>|x")]
    write_report(runs, tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert "</script>\\|x" in markdown


def test_match_modes_stand_side_by_side(make_run, tmp_path):
    runs = [
        make_run(f"{combiner}_{match}", combiner, match=match)
        for combiner in ("sum", "concat")
        for match in ("width", "embed")
    ]
    write_report([*runs, make_run("mean", "mean")], tmp_path / "report")
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert "| combiner | match = width | match = embed |" in markdown
    assert "| `concat` | 0.7100 ± 0.0248 | 0.7100 ± 0.0248 |" in markdown
    assert "| `mean` | 0.7100 ± 0.0248 | – |" in markdown


def test_a_diverged_seed_and_a_single_seed_are_reported_not_averaged(make_run, tmp_path):
    runs = [make_run("a", "sum"), make_run("b", "mean", (0.7, None, 0.8)), make_run("c", "max", (0.75,))]
    write_report(runs, tmp_path / "report")
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert re.search(r"\| `mean` \| incomparable \| diverged \|", markdown)
    assert "0.7500 (one seed)" in markdown


def test_a_truncated_file_is_skipped_and_named_in_both_pages_and_on_the_terminal(own_sweep, tmp_path):
    path = own_sweep / "trials" / "ratings" / "max" / "final" / "results.json"
    path.write_text(path.read_text()[:200])
    terminal = write_report(own_sweep, tmp_path / "report")
    assert f"{path} is not valid JSON" in terminal
    for name in ("report.md", "report.html"):
        assert f"{path} is not valid JSON" in (tmp_path / "report" / name).read_text()


def test_experiments_of_several_sizes_have_their_curve_in_the_part_across_experiments(make_run, tmp_path):
    runs = [
        make_run(f"{combiner}{part}", combiner, train_fraction=part, fingerprint=str(part))
        for combiner in ("sum", "mean")
        for part in (0.1, 1.0)
    ]
    write_report(runs, tmp_path / "report")
    markdown = (tmp_path / "report" / "report.md").read_text()
    across = markdown[markdown.index("## Across experiments") : markdown.index("## Warnings")]
    assert "figures/sentiment_rotten_tomatoes_accuracy_examples.png" in across
    assert "Friedman" not in across  # two arms are too few
    assert "<h2>Across experiments</h2>" in (tmp_path / "report" / "report.html").read_text()


def test_a_metric_of_which_less_is_better_says_so_where_its_difference_stands(sweep, report):
    lines = (report[0] / "report.md").read_text().splitlines()
    accuracy, rmse = (line for line in lines if line.startswith("| arm | verdict"))
    assert "| difference from `sum` | adjusted p | effect size |" in accuracy
    assert "| difference from `sum` (less is better) | adjusted p | effect size (less is better) |" in rmse


def test_plain_runs_are_reported_beside_them_by_default(make_run):
    runs = [make_run("a", "sum"), make_run("b", "mean")]
    terminal = write_report(runs)
    assert (runs[0].parent / "report" / "report.html").exists()
    assert f"written: {runs[0].parent / 'report' / 'report.html'}" in terminal


def test_a_sweep_that_states_no_claims_gets_its_report_alone(own_sweep, tmp_path):
    assert "claims" not in json.loads((own_sweep / "sweep.json").read_text())
    assert "claims.md" not in write_findings([own_sweep], tmp_path / "report")
    with pytest.raises(ValueError, match="states no claims"):
        write_findings([own_sweep], tmp_path / "report", tmp_path / "claims.md")


def test_a_sweep_is_reported_alone(sweep, make_run):
    with pytest.raises(ValueError, match="is a sweep and is reported on alone; got 2 folders"):
        write_report([sweep, make_run("a", "sum")])
