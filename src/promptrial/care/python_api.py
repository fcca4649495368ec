"""Runs for Python programs and notebooks: start or resume one. What they show is ``python_results``'."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from promptrial.care.python_results import Run, load_run
from promptrial.config.environment import DEFAULT_EXPERIMENTS, environment, experiments_dir_in, experiments_dir_of
from promptrial.documents.files import read_text
from promptrial.engine.invocation import follow
from promptrial.engine.opening import RunRequest, new_run_ids
from promptrial.engine.session import Invocation
from promptrial.errors import UsageError
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import say_to_stderr
from promptrial.store.new_files import write_new
from promptrial.store.rundir import RunDir, check_run_id

__all__ = ["Run", "load_run", "run"]


def run(
    config: str | os.PathLike[str] | Mapping[str, Any],
    *,
    run_id: str | None = None,
    resume: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    max_cost_usd: float | None = None,
    experiments_dir: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Run:
    """Run an experiment, or resume one, and return what it shows.

    Ctrl-C, or the stop button of a notebook, ends it as it ends ``promptrial run``: what is in flight is finished and
    kept, and ``resume=True`` goes on.

    Parameters
    ----------
    config : path or mapping
        A configuration file, or the same as a mapping. A mapping is written as ``promptrial_RUN.yaml`` into the current
        folder, from where its paths start; an existing file of this name has to say the same. A run that is refused
        leaves no such file behind.
    run_id : str, optional
        The name of the run; the time in UTC without one.
    resume : bool
        Whether a run of this name may exist, and is resumed then.
    dry_run : bool
        Whether an emulator stands in for hosted providers.
    yes : bool
        Whether money may be spent without a question.
    max_cost_usd : float, optional
        The most that the run may spend, in USD.
    experiments_dir : path, optional
        Where runs are kept; as the configuration says without it.
    quiet : bool
        Whether nothing is said on stderr.

    Raises
    ------
    PromptrialError
        For everything that goes wrong, with what to do next.
    StopRequested
        If the run was stopped, or waits for a person; it can be resumed.
    """
    from promptrial.design.plan import select_phases

    env, clock = environment(os.environ, Path.cwd()), SystemClock()
    if isinstance(config, Mapping):
        named = experiments_dir_in(_plain(config), env)
    else:
        named = experiments_dir_of(Path(config), env)
    experiments = Path(experiments_dir or named or DEFAULT_EXPERIMENTS)
    name = run_id or next(itertools.islice(new_run_ids(clock.now(), experiments), 1))
    check_run_id(name)
    file = _file_of(name) if isinstance(config, Mapping) else Path(config)
    is_new = isinstance(config, Mapping) and _write(config, file)
    exists = RunDir(experiments, name).state_path.exists()
    request = RunRequest(
        experiments=experiments,
        run_id=name,
        config=file,
        unnamed=run_id is None,
        resume=resume and exists,
        dry_run=dry_run,
        yes=yes,
        max_cost_usd=max_cost_usd,
        trusts_kept_digests=True,
    )
    say = (lambda _text: None) if quiet else say_to_stderr
    try:
        follow(request, select_phases(None, None, None), Invocation(os.environ, clock, say))
    except BaseException:  # a run that was refused leaves nothing behind
        if is_new and not (request.resume if exists else RunDir(experiments, name).state_path.exists()):
            file.unlink(missing_ok=True)
        raise
    return load_run(RunDir(experiments, name).root)


def _file_of(name: str) -> Path:
    return Path(f"promptrial_{name}.yaml")


def _write(config: Mapping[str, Any], path: Path) -> bool:
    """Write a configuration as a file of its own, unless it already exists; return whether it was written."""
    import yaml

    text = yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True)
    if path.exists():
        if read_text(path) != text:
            raise UsageError(f"{path} exists and has other contents", hint="remove it, or give the run another run_id")
        return False
    write_new(Path(), {PurePosixPath(path.name): text.encode()})
    return True


def _plain(value: object) -> object:
    """Return a mapping as YAML can write it: tuples as lists, paths as texts."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, os.PathLike) else value
