"""Tests of asynctask.manager.files.places."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, strategies

from asynctask.manager.files.places import line_of, places_of

pytestmark = pytest.mark.one_loop("nothing here waits")

TEXT = """# a comment [with.a] = "header"
top = 1
[process.web] # [no]
command = '''
[no.table]
a = 1
'''
args = ["[x]", # ]
  "y = 1",
  { z = 1 },
]
backoff . factor = 2
text = \"\"\"a\\\"\"\" b = 1 \"\"\"\"\"
env = { A = "}", B = '{' }
"quo.ted" = 1 ; 'x'
"""


def test_places() -> None:
    """Of tables and keys; not of what only looks like one."""
    text = TEXT.replace(" ; 'x'", "\n\n[[process.many]]\n[ process . 'x y' ]\n a=1")
    tomllib.loads(text)

    assert places_of(text) == {
        ("top",): 2,
        ("process",): 3,
        ("process", "web"): 3,
        ("process", "web", "command"): 4,
        ("process", "web", "args"): 8,
        ("process", "web", "backoff"): 12,
        ("process", "web", "backoff", "factor"): 12,
        ("process", "web", "text"): 13,
        ("process", "web", "env"): 14,
        ("process", "web", "quo.ted"): 15,
        ("process", "many"): 17,
        ("process", "x y"): 18,
        ("process", "x y", "a"): 19,
    }


def test_the_nearest_place() -> None:
    """A key that is not written out is in a table that is."""
    places = {("a",): 1, ("a", "b"): 2}

    assert [line_of(places, path) for path in (("a", "b", "c"), ("a", "x"), ("x",), ())] == [2, 1, None, None]


@given(strategies.text("a=[]{}\"'#\\\n., 1", max_size=40))
def test_it_comes_to_an_end(text: str) -> None:
    """Whatever it is given; and all that TOML finds at the top has a line."""
    places = places_of(text)
    try:
        content: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert {(key,) for key in content} == {path for path in places if len(path) == 1}
