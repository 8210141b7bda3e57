"""Node sets, targets and placeholders."""

from __future__ import annotations

import re
import shlex
import string
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from ClusterShell.NodeSet import NodeSet
from hypothesis import given
from hypothesis import strategies as st

from asynctask import nodes
from asynctask.errors import EmptyTargetsError, GroupError, NodeSetError, PlaceholderError
from asynctask.nodes import (
    Template,
    all_nodes,
    count,
    expand,
    fold,
    groups,
    memberships,
    parse,
    regroup,
    sources,
)

NAMES = st.from_regex(r"[a-z]{1,3}(-[a-z])?[0-9]{0,3}(\.[a-z]{1,2})?", fullmatch=True)


def test_nodeset_is_the_class_of_clustershell() -> None:
    """What users have in other programs is what they get here."""
    assert nodes.NodeSet is NodeSet


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The lazy import answers for its one name only."""
    with pytest.raises(AttributeError, match="no attribute 'NodeSat'"):
        _ = nodes.NodeSat


def test_importing_the_module_does_not_import_clustershell() -> None:
    """Plain names need no ClusterShell, so neither does a program that uses nothing else."""
    code = (
        "import sys; from asynctask.nodes import expand; expand('b,a'); print('ClusterShell' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"


# -- targets --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_nodes", "targets"),
    [
        pytest.param("web1", ("web1",), id="one name"),
        pytest.param("b,a[1-3]", ("b", "a1", "a2", "a3"), id="parts in the order written"),
        pytest.param("n[1,5,3]x,m[2,1]", ("n1x", "n3x", "n5x", "m1", "m2"), id="ranges in their own order"),
        pytest.param("b,a[1-3],b,a2,a4", ("b", "a1", "a2", "a3", "a4"), id="the first of each counts"),
        pytest.param(" b , a[1-2] ", ("b", "a1", "a2"), id="blanks round the parts"),
        pytest.param("n[08-10]", ("n08", "n09", "n10"), id="padding"),
        pytest.param("b,a[1-4]!a2", ("a1", "a3", "a4", "b"), id="with an operator in NodeSet's order"),
        pytest.param("z[1-4]&z[2-9]", ("z2", "z3", "z4"), id="intersection"),
        pytest.param("a1^a[1-2]", ("a2",), id="symmetric difference"),
        pytest.param("a1 ! a2", ("a1",), id="blanks round an operator"),
        pytest.param(["b", "a"], ("b", "a"), id="a list"),
        pytest.param(["b,c", "a[1-2]", "c"], ("b", "c", "a1", "a2"), id="a list of node sets"),
        pytest.param(("b", ""), ("b",), id="an empty item among others"),
        pytest.param({"b": 1, "a": 2}, ("b", "a"), id="the keys of a mapping"),
        pytest.param(NodeSet("b,a[1-2]"), ("a1", "a2", "b"), id="a NodeSet"),
        pytest.param([NodeSet("b2"), "a"], ("b2", "a"), id="a NodeSet in a list"),
        pytest.param("user@h1,fe80::1%eth0", ("user@h1", "fe80::1%eth0"), id="names with odd characters"),
    ],
)
def test_expand_lists_the_targets_in_the_order_given(
    given_nodes: str | Iterable[str], targets: tuple[str, ...]
) -> None:
    """Every way to name targets gives them in order and once."""
    assert expand(given_nodes) == targets


@pytest.mark.parametrize("nothing", [None, "", "  ", [], (), iter(()), [""], NodeSet(), "a!a", "a1&a2"])
def test_an_empty_set_of_targets_is_an_error(nothing: str | Iterable[str] | None) -> None:
    """Invariant 2: nothing is ever run for an empty set, so it is refused where it is named."""
    with pytest.raises(EmptyTargetsError, match=r"^the set of targets is empty"):
        expand(nothing)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a[1-", r"node set 'a\[1-': .+: \"a\[1-\""),
        ("b,a]", r"node set 'a]': .+: \"a]\""),
        ("a[1-x]", r"node set 'a\[1-x]': .*bad range.*1-x.*"),
        ("a[5-1]", r"node set 'a\[5-1]': .*bad range.*5-1.*"),
        ("a!", r"node set 'a!': missing nodeset operand with '!' operator: .*a.*"),
        ("a,,b", r"node set 'a,,b': a comma has no node on one of its sides"),
        ("a,", r"node set 'a,': a comma has no node on one of its sides"),
        (",", r"node set ',': a comma has no node on one of its sides"),
        ("a b", r"node 'a b' has a blank in its name: separate nodes with commas"),
        ("a\nb", r"node 'a\\nb' has a blank in its name: separate nodes with commas"),
    ],
)
def test_an_unparsable_node_set_says_what_is_wrong_with_which_part(text: str, message: str) -> None:
    """The message has the text, the reason, which is ClusterShell's, and the part that failed."""
    with pytest.raises(NodeSetError) as caught:
        expand(text)

    assert type(caught.value) is NodeSetError
    assert re.fullmatch(message, str(caught.value))


def test_a_long_text_is_cut_in_the_message() -> None:
    """Ten thousand names do not fill the screen for one comma too many."""
    with pytest.raises(NodeSetError) as caught:
        expand(",".join(["node"] * 10_000) + ",")

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("wrong", [5, b"web1", [5], ["a", None], [b"web1"]])
def test_what_is_no_node_set_is_named_in_the_error(wrong: object) -> None:
    """A wrong type is a usage error like a wrong text."""
    with pytest.raises(NodeSetError, match=r"^nodes: .* got (5|None|b'web1')$"):
        expand(wrong)


def test_a_range_that_is_too_large() -> None:
    """It is said before memory is full."""
    with pytest.raises(NodeSetError, match=r"range too large"):
        expand("n[1-99999999999]")


@given(st.lists(NAMES, min_size=1))
def test_expand_keeps_plain_names_as_they_are(names: list[str]) -> None:
    """A list of names and the same names joined by commas expand to themselves, without repetitions."""
    once = tuple(dict.fromkeys(names))

    assert expand(names) == once
    assert expand(",".join(names)) == once


@given(st.sets(NAMES, min_size=1))
def test_fold_and_expand_are_inverse(names: set[str]) -> None:
    """Folding loses no name and invents none."""
    assert set(expand(fold(names))) == names


@given(st.lists(NAMES), st.lists(NAMES))
def test_parse_is_a_union(first: list[str], second: list[str]) -> None:
    """Folded and plain items mix."""
    assert set(parse([*first, fold(second)])) == {*first, *second}


def test_fold_of_nothing_is_empty() -> None:
    """An empty gather block has an empty label, no error."""
    assert fold([]) == ""


@pytest.mark.parametrize(
    ("given_nodes", "number"),
    [("a[1-5],a3", 5), (["a", "b", "a"], 2), ([], 0), ("", 0), (NodeSet("a[1-3]"), 3)],
)
def test_count_counts_different_nodes(given_nodes: str | list[str], number: int) -> None:
    """A node named twice is one."""
    assert count(given_nodes) == number


# -- groups ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "source", "targets"),
    [
        ("lb,@db,@web", None, ("lb", "db1", "db2", "web1", "web2", "web3")),
        ("@front", None, ("lb", "web1", "web2", "web3")),
        ("@shell:gpu", None, ("gpu1", "gpu2")),
        ("@cpu", "shell", ("cpu1", "cpu2", "cpu3", "cpu4")),
        ("@file:db", "shell", ("db1", "db2")),
        ("@web!web2", None, ("web1", "web3")),
        ("web*", None, ("web1", "web2", "web3")),
        ("@*", "shell", ("cpu1", "cpu2", "cpu3", "cpu4", "gpu1", "gpu2")),
    ],
)
def test_groups_expand(site_groups: Path, text: str, source: str | None, targets: tuple[str, ...]) -> None:
    """Groups come from the source they name, else from the one asked for, else from the default one."""
    if text == "web*":
        site_groups.with_name("groups.yaml").write_text("file:\n  all: web[1-3],db1\n")

    assert expand(text, source) == targets


def test_an_empty_group_is_an_empty_set(site_groups: Path) -> None:
    """A group that exists and has nobody in it is no unknown group."""
    with pytest.raises(EmptyTargetsError, match=r"^the set of targets is empty \('@empty'\)"):
        expand("@empty")


def test_groups_lists_the_names_of_a_source(site_groups: Path) -> None:
    """Names are ready to be used as node sets."""
    assert groups("shell") == ("@shell:cpu", "@shell:gpu")
    assert groups("shell", prefix=False) == ("@cpu", "@gpu")
    assert groups() == ("@db", "@empty", "@front", "@loop", "@odd", "@web")


def test_a_source_that_cannot_list_says_so(site_groups: Path) -> None:
    """Listing needs more than the one command that a source must have."""
    with pytest.raises(
        GroupError, match=r"^the list of groups: group source 'mute' has no 'list' command; read "
    ):
        groups("mute")


def test_all_nodes_of_a_source(site_groups: Path) -> None:
    """Everything that a source knows."""
    assert str(all_nodes("shell")) == "cpu[1-4],gpu[1-2]"


def test_all_nodes_of_an_unknown_source(site_groups: Path) -> None:
    """The name of the source is in the message."""
    with pytest.raises(GroupError, match=r"^node set '@\*': unknown group source 'nosuch'; read "):
        all_nodes("nosuch")


def test_sources_are_listed_from_the_one_in_force_on(site_groups: Path) -> None:
    """The rest as it is configured."""
    assert sources() == ("file", "shell", "mute", "broken")
    assert sources("mute") == ("mute", "file", "shell", "broken")


def test_memberships_may_lack_their_source(site_groups: Path) -> None:
    """For where it is known anyway."""
    assert list(memberships("gpu1", "shell", prefix=False)) == ["@gpu"]


def test_memberships_tell_whole_groups_and_parts(site_groups: Path) -> None:
    """Each group with what it has, and what of that was asked about."""
    found = memberships("gpu1,cpu[1-2]", "shell")

    assert {name: (str(whole), str(part)) for name, (whole, part) in found.items()} == {
        "@shell:cpu": ("cpu[1-4]", "cpu[1-2]"),
        "@shell:gpu": ("gpu[1-2]", "gpu1"),
    }


def test_regroup_names_the_groups_that_are_complete(site_groups: Path) -> None:
    """What fills no group keeps its own name."""
    assert regroup("cpu[1-4],gpu1", "shell") == "@shell:cpu,gpu1"
    assert regroup("cpu[1-4],gpu1", "shell", prefix=False) == "@cpu,gpu1"


# -- placeholders ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "rendered"),
    [
        ("echo %h", "echo web7"),
        ("echo %host", "echo web7"),
        ("echo %n %rank", "echo 4 4"),
        ("%{host}s %{h}_%{n}", "web7s web7_4"),
        ("%h-%h.%n", "web7-web7.4"),
        ("%%h 100%%", "%h 100%"),
        ("%%%h", "%web7"),
        ("echo %hosts", "echo web[7-8]"),
        ("echo %{hosts}x %h %n", "echo web[7-8]x web[7-8] 4"),
        ("uname -r", "uname -r"),
        ("", ""),
    ],
)
def test_a_template_is_rendered(command: str, rendered: str) -> None:
    """Every placeholder, with and without braces; with %hosts the node is all nodes."""
    assert Template(command).render("web7", 4, ["web7", "web8"]) == rendered


@pytest.mark.parametrize(
    ("command", "has_placeholders", "needs_all"),
    [
        ("uname", False, False),
        ("date +%%H", False, False),
        ("echo %h", True, False),
        ("echo %rank", True, False),
        ("echo %hosts", True, True),
        ("echo %h %{hosts}", True, True),
    ],
)
def test_a_template_knows_what_it_needs(command: str, has_placeholders: bool, needs_all: bool) -> None:
    """Whether nodes get commands of their own, and whether one process serves them all."""
    template = Template(command)

    assert (template.has_placeholders, template.needs_all) == (has_placeholders, needs_all)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("date +%H", "unknown placeholder %H at character 7 of the command: write %%H for a literal %H"),
        ("%hostname", "unknown placeholder %hostname at character 1 of the command: write %%hostname"),
        ("%{node}", "unknown placeholder %{node} at character 1 of the command: write %%{node}"),
        ("df | grep 100%", "a % that starts no placeholder at character 14 of the command: write %% for"),
        ("printf %5d", "a % that starts no placeholder at character 8 of the command: write %% for"),
        ("%{host", "a % that starts no placeholder at character 1 of the command: write %% for"),
        ("%{}", "a % that starts no placeholder at character 1 of the command: write %% for"),
    ],
)
def test_an_unknown_placeholder_is_refused_with_the_remedy(command: str, message: str) -> None:
    """At construction, before anything has run."""
    with pytest.raises(PlaceholderError, match="^" + re.escape(message)):
        Template(command)


def test_the_message_on_a_placeholder_does_not_repeat_the_command() -> None:
    """Invariant 11: the command may hold a secret."""
    with pytest.raises(PlaceholderError) as caught:
        Template("login --password=hunter2 %x")

    assert "hunter2" not in str(caught.value)


def test_a_template_with_names_of_the_callers_own() -> None:
    """In braces; their values are words for the shell, and those that do not occur are not needed."""
    template = Template("%{a}%{a} %{host}%{_b1}", ["a", "_b1", "c"])
    assert template.names == {"a", "_b1"}
    assert (template.has_placeholders, template.needs_all) == (True, False)
    assert template.render("web7", values={"a": "x y", "_b1": ""}) == "'x y''x y' web7''"


def test_a_template_with_any_names() -> None:
    """They are told, so that somebody can ask for their values."""
    assert Template("%{any} %{h}", None).names == {"any"}
    assert Template("%{any}", ["any"]).names == {"any"}
    assert Template("%h").names == set()


def test_a_name_of_the_callers_own_needs_its_braces() -> None:
    """The message says which there are."""
    with pytest.raises(PlaceholderError, match=r"^unknown placeholder %any .* %rank %% %\{any\} %\{b\}$"):
        Template("%any", ["b", "any"])


@given(st.text())
def test_a_value_is_one_word_for_the_shell(value: str) -> None:
    """Whatever is in it."""
    assert shlex.split(Template("x%{v}y", ["v"]).render("a", values={"v": value})) == [f"x{value}y"]


@given(st.text().filter(lambda text: "%" not in text))
def test_a_text_without_percent_sign_renders_to_itself(text: str) -> None:
    """Rendering changes nothing else."""
    assert Template(text).render("node") == text


@given(st.text())
def test_doubling_every_percent_sign_makes_any_text_literal(text: str) -> None:
    """There is always a way to write what is meant."""
    assert Template(text.replace("%", "%%")).render("node") == text


class _Reference(string.Template):
    delimiter = "%"


@given(st.lists(st.sampled_from(["%", "{", "}", "h", "host", "hosts", "n", "rank", "s", "_", "H", "é", " "])))
def test_placeholders_are_the_identifiers_of_string_template(pieces: list[str]) -> None:
    """Python's own template class, with a percent sign, accepts and renders exactly the same."""
    text = "".join(pieces)
    values = {"h": "x1", "host": "x1", "hosts": "x1", "n": "3", "rank": "3"}
    try:
        expected = _Reference(text).substitute(values)
    except (KeyError, ValueError):
        with pytest.raises(PlaceholderError):
            Template(text)
    else:
        assert Template(text).render("x1", 3, ["x1"]) == expected


def test_addresses_of_ipv6_with_a_port() -> None:
    """Their brackets are no range."""
    assert expand("[::1]:22,root@[fe80::2%eth0],ssh://[::3]:9,web[1-2]") == (
        "[::1]:22",
        "root@[fe80::2%eth0]",
        "ssh://[::3]:9",
        "web1",
        "web2",
    )
    assert expand(["[::1]:22", "root@web[1-2]:7"]) == ("[::1]:22", "root@web1:7", "root@web2:7")
