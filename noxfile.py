"""The sessions of the project; ``nox -l`` lists them."""

from __future__ import annotations

import re

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["tests", "lint", "types", "docs"]
nox.options.error_on_missing_interpreters = True

PROJECT = nox.project.load_toml("pyproject.toml")
LOOPS = ("asyncio", "uvloop")


def group(name: str) -> tuple[str, ...]:
    """The requirements of a dependency group; read here because the pip of a new venv may not know groups."""
    return nox.project.dependency_groups(PROJECT, name)


def lowest_pin(requirement: str) -> str:
    """Turn the lower bound of a requirement into a pin: ``click>=8.1`` becomes ``click==8.1``."""
    pin, found = re.subn(r">=\s*([^\s,;]+)[^;]*", r"==\1 ", requirement, count=1)
    if not found:
        message = f"no lower bound in {requirement!r}: state the lowest version it works with"
        raise ValueError(message)
    return pin.strip()


def pytest_on_each_loop(session: nox.Session) -> None:
    """Run the suite on the stock loop, then on uvloop."""
    for loop in LOOPS:
        session.run("python", "-m", "pytest", f"--loop={loop}", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite, once on each event loop; arguments after ``--`` go to pytest."""
    session.install("-e", ".", *group("test"))
    pytest_on_each_loop(session)


@nox.session
def lowest(session: nox.Session) -> None:
    """The test suite with the lowest versions that pyproject.toml allows."""
    pins = [lowest_pin(requirement) for requirement in (*PROJECT["project"]["dependencies"], *group("test"))]
    session.install("-e", ".", *pins)
    pytest_on_each_loop(session)


@nox.session
def soak(session: nox.Session) -> None:
    """A minute of a thousand supervised processes that are killed at random; the suite has two seconds."""
    session.install("-e", ".", *group("test"))
    session.run("python", "-m", "pytest", "tests/manager/test_soak.py", env={"ASYNCTASK_SOAK_SECONDS": "60"})


@nox.session
def lint(session: nox.Session) -> None:
    """Rules and formatting."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Strict types for the package, the tests, the benchmarks and this file."""
    session.install("--no-compile", "-e", ".", *group("types"))  # most of it is read by mypy, never run
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation; a warning is an error."""
    session.install("-e", ".", *group("docs"))
    session.run("sphinx-build", "-q", "-n", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def bench(session: nox.Session) -> None:
    """Side by side with the peers; writes docs/benchmarks.md. Arguments after ``--`` go to the benchmarks."""
    session.install("-e", ".", *group("bench"))
    session.run("python", "-m", "benchmarks", "--write", "docs/benchmarks.md", *session.posargs)
