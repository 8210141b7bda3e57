"""The manual page of each sub-command, and of the program, from the same objects as ``--help``."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from asynctask.cli.manual.roff import bold, escaped, italic, paragraphs, section, subsection, tagged, title
from asynctask.cli.sections import sections

__all__ = ("pages",)


def pages(group: click.Group, version: str) -> dict[str, str]:
    """All pages, by their names: ``asynctask-run.1``."""
    ctx = click.Context(group, info_name="asynctask", **group.context_settings)
    found = {"asynctask": ctx}
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        found[f"asynctask-{name}"] = click.Context(command, ctx, info_name=name, **command.context_settings)
    return {f"{name}.1": "".join(_page(name, ctx, version, sorted(found))) for name, ctx in found.items()}


def _page(name: str, ctx: click.Context, version: str, all_pages: list[str]) -> Iterator[str]:
    command = ctx.command
    help_ = command.help or ""
    summary = re.split(r"\.(?:\s|$)", " ".join(help_.split()), maxsplit=1)[0]
    yield title(name, version)
    yield section("name")
    yield rf"{escaped(name)} \- {escaped(summary)}" + "\n"
    yield section("synopsis")
    yield " ".join((bold(ctx.command_path), *map(_placeholder, command.collect_usage_pieces(ctx)))) + "\n"
    yield section("description")
    yield from _text(help_)
    if isinstance(command, click.Group):
        yield section("commands")
        summaries = getattr(command, "summaries", {})
        for other in command.list_commands(ctx):
            yield tagged(bold(other), summaries.get(other, ""))
    yield section("options")
    for number, (heading, records) in enumerate(sections(command, ctx)):
        if number or heading != "Options":
            yield subsection(heading)
        for names, help_ in records:
            yield tagged(_spellings(names), help_)
    yield from _text(command.epilog or "")
    yield section("see also")
    others = [rf"{bold(other)}(1)" for other in all_pages if other != name]
    yield ",\n".join(others) + "\n"


def _text(text: str) -> Iterator[str]:
    for heading, body in paragraphs(text):
        if heading:
            yield section(heading)
        yield body


def _spellings(names: str) -> str:
    """``-w, --nodes NODES`` with the options bold and what they take not."""
    return re.sub(r"[^\s,/]+", lambda match: _placeholder(match[0]), names)


def _placeholder(word: str) -> str:
    if word.startswith("-"):
        return bold(word)
    return re.sub(r"[A-Za-z][\w%-]*|[^A-Za-z]+", lambda match: _part(match[0]), word)


def _part(text: str) -> str:
    return italic(text) if text[0].isalpha() else escaped(text)
