"""``asynctask config``: what holds for a run, and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import click

from asynctask.cli.options import configuration_options
from asynctask.cli.settings import Settings, load
from asynctask.cli.settings.clushmodes import without_secret
from asynctask.cli.settings.keys import KEYS, find, nearest
from asynctask.cli.settings.kinds import written
from asynctask.cli.settings.places import NOT_THERE, READ, File, clush_files, look, own_files, short
from asynctask.cli.terminal import encoded, is_terminal, visible
from asynctask.errors import UsageError

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  asynctask config                     all that can be set, and who has set it
  asynctask config -m sudo             the same with a mode
  asynctask config fanout              one value, for scripts
  asynctask config --path              which files were looked for
  asynctask config --example > ~/.config/asynctask/config.toml
"""
#: A column is not made wider than this by a long value.
_WIDEST = 32


@click.command(
    name="config",
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=_EXAMPLES,
)
@configuration_options
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.option("--modes", is_flag=True, help="List the modes that -m can choose.")
@click.option("--path", "--paths", "paths", is_flag=True, help="List the files that are looked for.")
@click.option("--example", is_flag=True, help="Write a commented config.toml to begin with.")
@click.argument("key", required=False)
def command(
    *,
    mode: str | None,
    conf: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    modes: bool,
    paths: bool,
    example: bool,
    key: str | None,
) -> None:
    """Show the configuration: each value and where it comes from, or the value of KEY.

    What comes first in this list counts: options of the command line, -O, the mode (-m),
    ~/.config/asynctask/config.toml, /etc/asynctask/config.toml, clush.conf.
    """
    if [modes, paths, example, key is not None].count(True) > 1:
        raise click.UsageError("give one of KEY, --modes, --path and --example")
    if example:
        from asynctask.cli.settings.example import example as text

        click.echo(text(), nl=False)
        return
    try:
        settings = load(conf=conf, mode=mode, overrides=overrides)
    except UsageError:
        if paths and conf is None:  # which files there are is of use all the more
            _echo_paths(_looked_for(), as_json)
        raise
    for warning in settings.warnings:
        _echo(f"asynctask: {warning}", err=True)
    if paths:
        _echo_paths(settings.files, as_json)
    elif modes:
        _echo_modes(settings, as_json)
    elif key is not None:
        _echo_one(settings, key, as_json)
    else:
        _echo_all(settings, as_json)


# -- what is shown --------------------------------------------------------------------------------


def _echo_all(settings: Settings, as_json: bool) -> None:
    if as_json:
        _echo_json({name: _described(settings, name) for name in _interesting(settings)})
        return
    _echo_table(
        (name, _shown(settings.get(name)), _origin(settings, name)) for name in _interesting(settings)
    )


def _echo_one(settings: Settings, name: str, as_json: bool) -> None:
    key = find(name)
    if key is None:
        raise click.UsageError(f"unknown key {name!r}{nearest(name)}")
    if as_json:
        _echo_json({key.name: _described(settings, key.name)})
        return
    value = _plain(settings.get(key.name))
    _echo(value if isinstance(value, str) else written(value))


def _echo_modes(settings: Settings, as_json: bool) -> None:
    modes = settings.modes()
    if as_json:
        _echo_json(
            {
                mode.name: {
                    "source": mode.source,
                    "values": {name: _plain(v) for name, v in mode.values.items()},
                }
                for mode in modes
            }
        )
        return
    _echo_table(
        (mode.name, mode.source, ", ".join(f"{key} = {_shown(value)}" for key, value in mode.values.items()))
        for mode in modes
    )


def _echo_paths(files: Sequence[File], as_json: bool) -> None:
    if as_json:
        _echo_json([{"path": str(file.path), "state": file.state} for file in files])
        return
    _echo_table((file.state, short(file.path)) for file in files)


def _interesting(settings: Settings) -> list[str]:
    """All keys but those of clush.conf that change nothing and that nobody has set."""
    return [name for name in settings.values if not _is_foreign(name) or settings.source(name) != "default"]


def _is_foreign(name: str) -> bool:
    return bool(KEYS[name].unused) or KEYS[name].clush_only


def _shown(value: object) -> str:
    return "-" if value in (None, "") else written(_plain(value))


def _origin(settings: Settings, name: str) -> str:
    unused = KEYS[name].unused
    return settings.source(name) + (f" (not used: {unused})" if unused else "")


def _described(settings: Settings, name: str) -> dict[str, Any]:
    described = {"value": _plain(settings.get(name)), "source": settings.source(name)}
    return described | ({"unused": KEYS[name].unused} if KEYS[name].unused else {})


def _plain(value: Any) -> Any:
    """As it is written in a file, where no limit is 0."""
    if isinstance(value, str):
        return without_secret(value)
    return 0 if value == math.inf else value


def _looked_for() -> list[File]:
    """The files in their usual places, without regard to what is in them."""
    found = []
    for path in (*clush_files(), *own_files()):
        try:
            found.append(look(path, foreign=True))
        except UsageError:
            found.append(File(path, READ if path.is_file() else NOT_THERE))
    return found


# -- how it is written ----------------------------------------------------------------------------


def _echo_table(rows: Iterable[tuple[str, ...]]) -> None:
    """Rows with the columns below each other."""
    listed = list(rows)
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*listed, strict=True)]
    lines = []
    for row in listed:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    _echo("\n".join(lines))


def _echo_json(value: object) -> None:
    import json

    _echo(json.dumps(value, indent=2))


def _echo(text: str, *, err: bool = False) -> None:
    data = encoded(text)
    click.echo(visible(data) if is_terminal(2 if err else 1) else data, err=err)
