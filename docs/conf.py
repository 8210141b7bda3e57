from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring

from asynctask import __version__

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "asynctask"
author = "asynctask authors"
copyright = "2026, asynctask authors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "asynctask"

myst_heading_anchors = 3

autodoc_default_options = {"show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True

nitpicky = True
# The documentation of Python and of other packages is elsewhere, and the build must not need a network.
nitpick_ignore_regex = [
    (r"py:.*", r"(abc|anyio|asyncio|asyncssh|collections|concurrent|contextlib|enum)(\..+)?"),
    (r"py:.*", r"(os|pathlib|threading|types|typing|ClusterShell)(\..+)?"),
    (r"py:class", r"(asynctask\..+\.)?(_?[A-Z]|_Maker)"),  # type variables
    # Internal; in signatures for who writes a worker.
    (r"py:class", r"asynctask\.(processes|waiting|workers\.streams|sync\.home|iteration|pollers\.walk)\..+"),
    # Other names for types.
    (r"py:class", r"Args|BeforeStart|Carrier|HostKeys|Nodes|Path|PathLike|Prompt|Reread|_NodesArgument"),
    # What a manager is made of; the pages have tables of what is in these.
    (r"py:(class|meth)", r"Launcher|OutputHub\.open"),
    (r"py:data", r"(asynctask\.manager\.control\.operations\.)?(OPERATIONS|STREAMS)"),
]

_NAPOLEON = Config(napoleon_custom_sections=[("Keys", "params_style")], napoleon_use_rtype=False)


def _read_sections(
    _app: Sphinx, what: str, name: str, obj: object, options: dict[str, bool], lines: list[str]
) -> None:
    """Read ``Args:`` and its like; not for attributes, where "Connection: refused" is no type."""
    if what not in {"attribute", "data", "property"}:
        lines[:] = GoogleDocstring(lines, _NAPOLEON, None, what, name, obj, options).lines()


def _tell_apart(
    _app: Sphinx,
    _what: str,
    name: str,
    _obj: object,
    _options: dict[str, bool],
    signature: str | None,
    returned: str | None,
) -> tuple[str | None, str | None] | None:
    """Say which of two classes of a name is meant: a manager has streams of output of its own."""
    if returned == "OutputStream":
        home = "asynctask.manager" if name.startswith("asynctask.manager.") else "asynctask"
        return signature, f"{home}.{returned}"
    return None


def _resolve_short_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element
) -> nodes.Element | None:
    """Find ``Task.run`` and ``asynctask.task.Task.run``, which are documented as ``asynctask.Task.run``."""
    if node.get("refdomain") != "py":
        return None
    domain: Any = env.domains["py"]
    name = re.sub(r"^asynctask\.([a-z_]+\.)*", "", node["reftarget"])
    found = [full for full in domain.objects if full.endswith(f".{name}")]
    if len(found) != 1:
        return None
    target: nodes.Element | None = domain.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], found[0], node, contnode
    )
    return target


def setup(app: Sphinx) -> None:
    """Connect the two."""
    app.connect("autodoc-process-docstring", _read_sections)
    app.connect("autodoc-process-signature", _tell_apart)
    app.connect("missing-reference", _resolve_short_name)
