"""What the entry points share: the --config flag, clear errors in one line, exit codes."""

import inspect
import pathlib
import re
import runpy
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import ml_collections
from absl import app, flags, logging
from ml_collections import config_flags

from data.nearest import nearest

from .workdir import CONFIG_FILE, OPEN_SECTIONS, describe_difference, flatten, name_workdir, read_json

# What an evaluation may change of the run it evaluates.
_EVALUATION_FIELDS = (
    "data.path_test",
    "data.text_column",
    "data.text_b_column",
    "data.label_column",
    "data.target",
    "data.id_column",
    "data.dir",
)

DEBUG = flags.DEFINE_bool("debug", False, "Show the whole traceback of an error.")


def main(
    run: Callable[..., None],
    define_config: Callable[[Sequence[str]], Any] = lambda _: None,
    takes_arguments: bool = False,
) -> None:
    """Runs an entry point; what the user got wrong ends in one line and exit code 1 or 2.

    Args:
      run: what to do once the flags are parsed; gets the arguments that are no flags, if it takes any.
      define_config: from the command line, defines the flag --config; may raise as `run` may.
      takes_arguments: whether there may be arguments that are no flags.
    """

    def parse(argv: list[str]) -> list[str]:
        try:
            flags.FLAGS(argv, known_only=True)  # --debug and --workdir, which the rest may need
            define_config(argv)
            rest = flags.FLAGS(argv)
        except Exception as error:
            _fail(error, code=2)
        if len(rest) > 1 and not takes_arguments:
            _fail(ValueError(f"unexpected argument {rest[1]!r}; flags are written --name=value"), code=2)
        return rest

    def guarded(argv: Sequence[str]) -> None:
        if not any(re.match(r"--?(v|verbosity)(=|$)", argument) for argument in sys.argv):
            logging.set_verbosity(
                logging.WARNING
            )  # absl's own default would let libraries tell of themselves
        try:
            run(*argv[1:])
        except KeyboardInterrupt as interrupt:
            print(f"\n{str(interrupt) or 'interrupted'}", file=sys.stderr)
            sys.exit(130)
        except Exception as error:
            _fail(error, code=1)

    app.run(guarded, flags_parser=parse)


def define_config_file(argv: Sequence[str], default: str | None = None) -> None:
    """Defines --config=FILE[:ARGUMENT] and its overrides, and checks that every overridden field exists.

    Raises:
      ValueError: for a field that the config does not have, with the nearest one.
    """
    path = _config_path(argv) or default
    if path is None:
        raise ValueError("which config? for example --config=configs/sentiment_sum.py")
    check_overrides(argv, load_config(path))
    config_flags.DEFINE_config_file(
        "config",
        path,
        "FILE[:ARGUMENT]; fields as --config.f=v",
        lock_config=False,
        accept_new_attributes=True,
    )


def define_run_config(argv: Sequence[str]) -> None:
    """Defines --config for evaluating a run: its config file, or else the config.json of --workdir.

    Raises:
      ValueError: for a field that an evaluation cannot change.
    """
    workdir = flags.FLAGS["workdir"].value
    if _config_path(argv) is not None:
        define_config_file(argv)
        return
    if workdir is None:
        raise ValueError("which run? for example --workdir=runs/sentiment_sum")
    path = pathlib.Path(workdir) / CONFIG_FILE
    if not path.exists():
        raise ValueError(
            f"workdir {workdir} holds no run ({CONFIG_FILE} is missing): train it with train.py first"
        )
    saved = ml_collections.ConfigDict(read_json(path))
    check_overrides(argv, saved)
    for field in override_fields(argv):
        if field not in _EVALUATION_FIELDS:
            allowed = ", ".join(_EVALUATION_FIELDS)
            raise ValueError(f"{field} cannot change after training; an evaluation may override {allowed}")
    config_flags.DEFINE_config_dict("config", saved)


def config() -> ml_collections.ConfigDict:
    """Returns the config as the command line has it."""
    return flags.FLAGS["config"].value


def default_workdir(folder: str = "runs") -> pathlib.Path:
    """Returns the workdir in a folder that belongs to the config and what was overridden of it, --workdir aside.

    What only a report reads (--config.report.margin) makes no other workdir.
    """
    flag = flags.FLAGS["config"]
    overrides = config_flags.get_override_values(flag)
    of_run = {field: value for field, value in overrides.items() if not field.startswith("report.")}
    return name_workdir(config_flags.get_config_filename(flag), of_run, folder)


def sweep_overrides() -> list[dict[str, Any]]:
    """Returns what `sweep()` of the config's file yields: one override dict per arm.

    Raises:
      ValueError: if the file has no such function, and for whatever it refuses.
    """
    path, _, argument = config_flags.get_config_filename(flags.FLAGS["config"]).partition(":")
    namespace = runpy.run_path(path)
    if "sweep" not in namespace:
        raise ValueError(f"{path} has no sweep(): it is no sweep's config; give it to train.py or analyze.py")
    sweep = namespace["sweep"]
    return list(sweep(argument or None) if inspect.signature(sweep).parameters else sweep())


def command() -> str:
    """Returns the command that was given, as one can give it again from the project's root, its report included."""
    arguments = [argument for argument in sys.argv[1:] if argument not in ("--noreport", "--report=false")]
    return shlex.join(["python", pathlib.Path(sys.argv[0]).name, *arguments])


def finished_run(workdir: str | None) -> tuple[pathlib.Path, dict[str, Any]]:
    """Returns the workdir to evaluate and what the evaluation overrides, as {"data.path_test": value}.

    Raises:
      ValueError: if the run in the workdir is not that of --config.
    """
    flag = flags.FLAGS["config"]
    overrides = config_flags.get_override_values(flag)
    of_evaluation = {field: value for field, value in overrides.items() if field in _EVALUATION_FIELDS}
    if _config_path(sys.argv) is None:
        return pathlib.Path(workdir), of_evaluation
    of_run = {field: value for field, value in overrides.items() if field not in _EVALUATION_FIELDS}
    path = pathlib.Path(workdir) if workdir else default_workdir()
    if not workdir and not path.exists():  # what the evaluation overrides was not overridden in training
        path = name_workdir(config_flags.get_config_filename(flag), of_run)
    if (path / CONFIG_FILE).exists():
        saved = read_json(path / CONFIG_FILE)
        difference = describe_difference(saved, flag.value.to_dict(), ignore=tuple(of_evaluation))
        if difference:
            raise ValueError(f"workdir {path} holds the run of another config ({difference})")
    return path, of_evaluation


def load_config(path: str) -> ml_collections.ConfigDict:
    """Returns the config of FILE[:ARGUMENT], without overrides."""
    values = flags.FlagValues()
    name = "config"
    holder = config_flags.DEFINE_config_file(name, flag_values=values, sys_argv=[])
    try:
        values(["", f"--{name}={path}"])
        config = holder.value
    except Exception as error:
        # ml_collections wraps what get_config raised into a report that ends with it.
        last = str(error).strip().splitlines()[-1]
        raise ValueError(f"--config={path}: {last.removeprefix('ValueError: ')}") from error
    if not isinstance(config, ml_collections.ConfigDict):
        raise ValueError(f"--config={path}: no such config file; configs/ holds those of this project")
    return config


def check_overrides(argv: Sequence[str], config: ml_collections.ConfigDict) -> None:
    """Raises ValueError if --config.field=value names a field that the config does not have."""
    known = flatten(config.to_dict())
    for field in override_fields(argv):
        of_run = field.rpartition("base.")[2]  # an experiment of a sweep holds a run's config
        if field in known or of_run.startswith(OPEN_SECTIONS):
            continue
        raise ValueError(f"unknown config field {field!r}{nearest(field, known)}")


def override_fields(argv: Sequence[str]) -> list[str]:
    """Returns the fields that the command line overrides, as 'data.path'."""
    matches = (re.match(r"--?(?:no)?config\.([^=]+)", argument) for argument in argv)
    return [match[1] for match in matches if match]


def _config_path(argv: Sequence[str]) -> str | None:
    path = None  # the last one counts, as for every flag
    for index, argument in enumerate(argv):
        if match := re.fullmatch(r"--?config=(.*)", argument):
            path = match[1]
        elif re.fullmatch(r"--?config", argument) and index + 1 < len(argv):
            path = argv[index + 1]
    return path


def _fail(error: Exception, code: int) -> None:
    if flags.FLAGS.is_parsed() and DEBUG.value:
        traceback.print_exception(error)
    message = " ".join(str(error).split())
    if not isinstance(error, flags.Error | ValueError | OSError | ArithmeticError | ImportError):
        message = f"{type(error).__name__}: {message} (not foreseen; --debug shows where)"
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)
