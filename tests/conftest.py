"""What every test gets; the checks round each test are in tests/harness."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import asynctask
from tests.conftest_sshd import sshd
from tests.support import forget_children

__all__ = ("sshd",)

pytest_plugins = ["pytester", "tests.harness.plugin", "tests.running"]

_LOADED_WHEN_USED = (
    "ClusterShell.NodeSet",
    "aiohttp",
    "anyio._backends._asyncio",
    "asyncssh",
    "botocore.session",
    "click",
    "keystoneauth1.identity.v3",
    "keystoneauth1.session",
    "swiftclient.authv1",
    "swiftclient.client",
    "uvicorn.lifespan.off",
)


def pytest_sessionstart() -> None:
    """Import what the package loads at first use, so that the first test to use it does not seem to block."""
    names = [module.name for module in pkgutil.walk_packages(asynctask.__path__, "asynctask.")]
    names.remove("asynctask.__main__")
    for name in (*names, *_LOADED_WHEN_USED):
        # What cannot be imported fails in its own test.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


@pytest.fixture(scope="session", autouse=True)
def _home_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whoever runs the tests keeps their history, and has a configuration that changes nothing here."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name)))
        yield


@pytest.fixture(autouse=True)
def _children_of_the_test() -> None:
    """What tests.support.children() tells is new since here."""
    forget_children()


@pytest.fixture
def site_groups(tmp_path: Path) -> Iterator[Path]:
    """A site's groups.conf, in force for the test; source ``file`` is the default, others run commands."""
    from ClusterShell.NodeSet import set_std_group_resolver, set_std_group_resolver_config

    (tmp_path / "groups.yaml").write_text(
        "file:\n"
        "  web: web[1-3]\n"
        "  db: db[1-2]\n"
        "  front: '@web,lb'\n"
        "  odd: '@x;y'\n"
        "  loop: '@loop'\n"
        "  empty:\n"
    )
    (tmp_path / "groups.txt").write_text("gpu: gpu[1-2]\ncpu: cpu[1-4]\n")
    config = tmp_path / "groups.conf"
    config.write_text(
        "[Main]\n"
        "default: file\n"
        "autodir: $CFGDIR\n"
        "[shell]\n"
        "map: sed -n '/^$GROUP: /{s///p;q};$q1' groups.txt\n"
        "list: cut -d: -f1 groups.txt\n"
        "all: cut -d: -f2 groups.txt\n"
        "[mute]\n"
        "map: echo silent1\n"
        "[broken]\n"
        "map: exit 3\n"
        "list: exit 4\n"
    )
    set_std_group_resolver_config(str(config))
    yield config
    set_std_group_resolver(None)
