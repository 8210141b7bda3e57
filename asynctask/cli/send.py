"""``asynctask send``: write to the input of processes."""

from __future__ import annotations

import click

from asynctask.cli.controlling.connecting import CONTEXT, connect, place_options

__all__ = ("command",)

_EXAMPLES = """\b
Examples:
  asynctask send console.1 reload all        a line
  asynctask send worker --close < jobs.txt   all of a file, and its end
"""


@click.command(name="send", context_settings=CONTEXT, epilog=_EXAMPLES)
@place_options
@click.option("--stream", default="stdin", metavar="NAME", help="A custom stream. [default: stdin]")
@click.option("-n", "no_newline", is_flag=True, help="No newline after TEXT.")
@click.option("--close", is_flag=True, help="End the input then.")
@click.argument("target", metavar="NAME")
@click.argument("text", nargs=-1, metavar="[TEXT]...")
def command(
    *,
    target: str,
    text: tuple[str, ...],
    file: str | None,
    socket: str | None,
    stream: str,
    no_newline: bool,
    close: bool,
) -> None:
    """Write TEXT and a newline to the input of processes, or standard input as it is.

    NAME is that of a template or a pattern: each of its processes gets it; or a single process as "asynctask
    ps" lists it, like web.2. The template needs "stdin = true".
    """
    if no_newline and not text:
        raise click.UsageError("-n goes with TEXT: standard input is sent as it is")
    from asynctask.cli.controlling.sending import send

    line = " ".join(text) + ("" if no_newline else "\n") if text else None
    with connect(file, socket) as client:
        send(client, target, line, stream=stream, close=close)
