"""``asynctask reload``: read the file again, or replace processes without a gap."""

from __future__ import annotations

import click

from asynctask.cli.controlling.connecting import CONTEXT, connect, place_options

__all__ = ("command",)

#: What a reading of the file says, by its keys.
_KINDS = ("added", "removed", "changed")


@click.command(name="reload", context_settings=CONTEXT)
@place_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def command(*, names: tuple[str, ...], file: str | None, socket: str | None, as_json: bool) -> None:
    """Read the Procfile or asynctask.toml again, and apply what is different; the rest goes on.

    With a NAME, which may be a pattern, replace the processes of templates: each new one is ready before its
    old one is stopped. If one does not become ready, the old ones go on, and the exit status is 1.
    """
    from asynctask.cli.controlling.doing import show, tell

    with connect(file, socket) as client:
        if names:
            reloaded = client.call("reload", {"names": list(names)})["names"]
            raise click.exceptions.Exit(tell(client, reloaded, as_json=as_json, running=True))
        done = client.call("reread")
    rows = [[f"{kind}: {', '.join(done[kind])}"] for kind in _KINDS if done.get(kind)]
    failed = done.get("failed") or {}
    rows += [[f"{name}: failed: {why}"] for name, why in failed.items()]
    show(done, rows or [["nothing has changed"]], as_json=as_json)
    raise click.exceptions.Exit(1 if failed else 0)
