"""The harness as pytest runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

LEAVES_SOMETHING = """
import asyncio, os, subprocess, threading, time
import pytest

class TestLeaks:
    async def test_descriptor(self):
        os.open("/dev/null", os.O_RDONLY)

    async def test_task(self):
        self.task = asyncio.create_task(asyncio.Event().wait(), name="forgotten")

    def test_thread(self):
        threading.Thread(target=time.sleep, args=(600,), name="forgotten", daemon=True).start()

    async def test_block(self):
        end = time.thread_time() + 0.3
        while time.thread_time() < end:
            pass

    @pytest.mark.blocks_loop("on purpose")
    async def test_block_allowed(self):
        end = time.thread_time() + 0.3
        while time.thread_time() < end:
            pass

    async def test_executor(self):
        await asyncio.to_thread(int)

    def test_own_loop(self):
        asyncio.run(asyncio.sleep(0))

@pytest.mark.asyncio(loop_scope="module")
class TestModuleLoop:
    async def test_executor(self):
        await asyncio.to_thread(int)

    async def test_descriptor(self):
        os.open("/dev/zero", os.O_RDONLY)
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project of its own that uses the harness; it runs in a process of its own."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeini(
        "[pytest]\nasyncio_mode=auto\nasyncio_default_fixture_loop_scope=function\nfilterwarnings=error\n"
    )
    return pytester


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_loop_is_chosen_by_option(inner: pytest.Pytester, loop: str) -> None:
    """For tests, for fixtures, and in every scope; names of tests stay the same."""
    inner.makepyfile(
        f"""
        import asyncio, pytest

        def is_right():
            return type(asyncio.get_running_loop()).__module__.partition(".")[0] == {loop!r}

        @pytest.fixture
        async def fixture():
            return is_right()

        async def test_function(fixture):
            assert fixture and is_right()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_module():
            assert is_right()
        """
    )

    result = inner.runpytest_subprocess("-v", "-p", "tests.harness.plugin", f"--loop={loop}")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([f"event loop: {loop}", "*::test_function PASSED*", "*::test_module PASSED*"])


def test_each_leak_and_each_block_fails_its_test(inner: pytest.Pytester, pytestconfig: pytest.Config) -> None:
    """The one that is at fault, and no other."""
    inner.makepyfile(LEAVES_SOMETHING)
    loop = pytestconfig.getoption("--loop")

    result = inner.runpytest_subprocess("-p", "tests.harness.plugin", f"--loop={loop}", "-rA")

    result.assert_outcomes(passed=9, errors=5)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of TestLeaks.test_descriptor*",
            "the test left behind:",
            "  descriptor * -> /dev/null",
            "*ERROR at teardown of TestLeaks.test_task*",
            "the test left behind:",
            "  task 'forgotten': <coroutine object Event.wait*",
            "*ERROR at teardown of TestLeaks.test_thread*",
            "the test left behind:",
            "  thread 'forgotten' (daemon)",
            "*ERROR at teardown of TestLeaks.test_block*",
            "nothing may block the loop for 50 ms:",
            "  the event loop was blocked for * ms:",
            "  File *, in test_block",
            "*ERROR at teardown of TestModuleLoop.test_descriptor*",
            "the test left behind:",
            "  descriptor * -> /dev/zero",
        ],
    )


@pytest.mark.parametrize(("loop", "passed", "left_out"), [("asyncio", 4, 0), ("uvloop", 1, 3)])
def test_what_has_no_loop_runs_once(inner: pytest.Pytester, loop: str, passed: int, left_out: int) -> None:
    """With the stock loop; on another one it would be the same again."""
    inner.makepyfile(
        """
        import asyncio, pytest

        def test_plain(): pass

        def test_own_loop(): asyncio.run(asyncio.sleep(0))

        async def test_loop(): pass

        @pytest.mark.one_loop("it takes long")
        async def test_long(): pass
        """
    )
    result = inner.runpytest_subprocess("-p", "tests.harness.plugin", f"--loop={loop}")
    result.assert_outcomes(passed=passed, deselected=left_out)
