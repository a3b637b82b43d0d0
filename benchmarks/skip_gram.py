"""Word vectors beside gensim's: words per second, memory, and agreement with people after the same epochs.

Both read the same tokens with the same vocabulary, width 100, windows up to 5, 5 negatives, the same subsampling. Every
run is a process of its own, ours and theirs in turn, with another seed each time. gensim reads a text file with two
workers, its fastest way ("corpus_file").

  python -m benchmarks.skip_gram                  three seeds, three epochs over english/full
  python -m benchmarks.skip_gram english/small 1  three seeds, one epoch over half of it
  python -m benchmarks.skip_gram --quick          one seed, one epoch over half of it
"""

import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import compare, describe_machine, machine_line, parser, save
from benchmarks.without_pytorch import hide_pytorch

SEEDS, WORKERS = (0, 1, 2), 2
SHOWN = ("wordsim353", "wordsim353_similarity", "wordsim353_relatedness", "men", "simlex999", "rare_words")
OURS, THEIRS = "this project", "gensim, 2 workers"


def main() -> None:
    """Trains all seeds with both, in turn, and writes benchmarks/results/skip_gram.{json,md}."""
    arguments = parser(__doc__)
    arguments.add_argument("name", nargs="?", default="english/full")
    arguments.add_argument("epochs", nargs="?", default="3")
    options = arguments.parse_args()
    name, epochs, seeds = options.name, options.epochs, SEEDS
    if options.quick:
        name, epochs, seeds = "english/small", "1", SEEDS[:1]
    runs: dict[str, list[dict[str, Any]]] = {OURS: [], THEIRS: []}
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "corpus.txt"
        _call("write", name, str(text))
        for seed in seeds:
            runs[OURS].append(_call("ours", name, str(seed), epochs))
            runs[THEIRS].append(_call("gensim", str(text), str(seed), epochs))
            print({who: results[-1] for who, results in runs.items()}, file=sys.stderr)
    seconds = {who: [result["train_seconds"] for result in results] for who, results in runs.items()}
    table = compare(seconds, OURS)
    machine = describe_machine()
    settings = {"corpus": name, "epochs": int(epochs), "seeds": seeds, "dim": 100, "workers": WORKERS}
    result = {"machine": machine, "settings": settings, "runs": runs, "table": table}
    save("skip_gram", result, _page(runs, table, settings, machine), quick=options.quick)


def write_text(name: str, path: str) -> dict[str, Any]:
    """Writes the sentences of a corpus for gensim, which counts the same words in them."""
    from data import corpus

    text = corpus.load(_config(name).data)
    with pathlib.Path(path).open("w", encoding="utf-8") as file:
        for sentence in text.sentences():
            file.write(" ".join(sentence) + "\n")
    return {"words": len(text.tokens)}


def train_ours(name: str, seed: str, epochs: str) -> dict[str, Any]:
    """Trains one seed with `training.run`, as train.py does."""
    hide_pytorch()
    began = time.perf_counter()
    import training

    config = _config(name)
    config.seeds, config.train.epochs = (int(seed),), int(epochs)
    with tempfile.TemporaryDirectory() as folder:
        results = training.run(config, pathlib.Path(folder) / "run")
    scores = {**results["metrics"]["test"], **results["metrics"]["validation"]}
    return {
        "train_seconds": results["timing"]["train_seconds"],
        "total_seconds": time.perf_counter() - began,
        "words_per_second": results["timing"]["examples_per_second"],
        "peak_mib": _peak_mib(),
        "spearman": {pairs: summary["mean"] for pairs, summary in scores.items()},
    }


def train_gensim(path: str, seed: str, epochs: str) -> dict[str, Any]:
    """Trains one seed with gensim."""
    began = time.perf_counter()
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=100,
        window=5,
        negative=5,
        sg=1,
        sample=1e-3,
        min_count=1,
        workers=WORKERS,
        seed=int(seed),
    )
    model.build_vocab(corpus_file=path)
    words = model.corpus_total_words
    train_began = time.perf_counter()
    model.train(corpus_file=path, total_words=words, total_examples=model.corpus_count, epochs=int(epochs))
    seconds, peak = time.perf_counter() - train_began, _peak_mib()

    from data import word_pairs
    from data.word_vectors import WordVectors

    vectors = WordVectors(tuple(model.wv.index_to_key), model.wv.vectors)
    return {
        "train_seconds": seconds,
        "total_seconds": time.perf_counter() - began,
        "words_per_second": words * int(epochs) / seconds,
        "peak_mib": peak,
        "spearman": {p.name: word_pairs.spearman(p, vectors)[0] for p in word_pairs.load_word_pairs()},
    }


_ROLES = {"write": write_text, "ours": train_ours, "gensim": train_gensim}


def _config(name: str) -> Any:
    from configs import skip_gram

    config = skip_gram.get_config()
    config.data.name = name
    return config


def _call(role: str, *arguments: str) -> dict[str, Any]:
    """Returns what a role returns, from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.skip_gram", role, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _page(
    runs: Mapping[str, list[dict[str, Any]]],
    table: Mapping[str, Mapping[str, float]],
    settings: Mapping[str, Any],
    machine: Mapping[str, Any],
) -> str:
    ratio = table[THEIRS]
    memory = max(r["peak_mib"] for r in runs[OURS]) / max(r["peak_mib"] for r in runs[THEIRS])
    lines = [
        "# Word vectors beside gensim's",
        "",
        f"Skip-gram on `{settings['corpus']}`, {settings['epochs']} epochs, width 100, windows up to 5, 5 negatives, "
        f"subsampling at 1e-3; every run a process of its own, in turn, {len(settings['seeds'])} seeds of each. Ours "
        f"trains **{ratio['ratio']:.1f} times** ({ratio['ratio_min']:.1f} to {ratio['ratio_max']:.1f}) as fast as "
        f"gensim 4.4 with {WORKERS} workers, in {memory:.2f} times the memory (the process's peak; JAX and its "
        "compiler are most of ours).",
        "",
        "| | words per second | training, s | the whole process, s | peak, MiB |",
        "|---|---:|---:|---:|---:|",
    ]
    for who, results in runs.items():
        speed, train, total, peak = (
            [result[key] for result in results]
            for key in ("words_per_second", "train_seconds", "total_seconds", "peak_mib")
        )
        lines.append(
            f"| {who} | {_mean(speed):,.0f} | {_mean(train):.1f} | {_mean(total):.1f} | {max(peak):,} |"
        )
    lines += [
        "",
        "Spearman's ρ with people's judgements, the mean over seeds (least to greatest):",
        "",
        "| | " + " | ".join(SHOWN) + " |",
        "|---|" + "---:|" * len(SHOWN),
    ]
    for who, results in runs.items():
        cells = []
        for pairs in SHOWN:
            values = [result["spearman"][pairs] for result in results]
            cells.append(f"{_mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")
        lines.append(f"| {who} | " + " | ".join(cells) + " |")
    lines += ["", machine_line(machine), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in _ROLES:
        print(json.dumps(_ROLES[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
