"""``asynctask status``: whether all runs that is to run."""

from __future__ import annotations

import click

from asynctask.cli.controlling.connecting import CONTEXT, connect, place_options

__all__ = ("EXIT_NOT_RUNNING", "command")

#: As of the "status" of a service: it does not run.
EXIT_NOT_RUNNING = 3


@click.command(name="status", context_settings=CONTEXT)
@place_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Only the exit status.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def command(
    *, names: tuple[str, ...], file: str | None, socket: str | None, as_json: bool, quiet: bool
) -> None:
    """Tell how the templates of a running manager do.

    The exit status is 0 when all processes run that should: all of a template that is named; without names
    all but those that have exited with 0 by themselves, or that somebody has to start first (autostart). It
    is 3 when one does not, when there is none, or no manager runs; 1 for other errors; 2 for wrong usage.
    """
    from asynctask.cli.controlling.doing import show
    from asynctask.cli.controlling.states import at_fault, not_running, span, template_rows
    from asynctask.cli.past.printing import say
    from asynctask.manager.control.client import NoManagerError

    try:
        with connect(file, socket) as client:
            pid = client.hello.get("pid")
            about = client.call("status")
            answer = client.call("ps", {"names": list(names), "usage": False})
    except NoManagerError as exc:
        if not quiet:
            say(str(exc))
        raise click.exceptions.Exit(EXIT_NOT_RUNNING) from None
    if as_json:
        show({**about, "pid": pid, **answer}, [], as_json=True)
    elif not quiet:
        import time

        up = span(time.time() - about["started"])
        title = f"manager {about['name']}, asynctask {about['version']}, pid {pid}, up {up}"
        show({}, [[title], *([f"{name}: {how}"] for name, how in template_rows(answer))], as_json=False)
    missing = not_running(answer) if names else at_fault(answer)
    raise click.exceptions.Exit(EXIT_NOT_RUNNING if missing or not answer["templates"] else 0)
