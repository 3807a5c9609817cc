# SPDX-License-Identifier: MIT
"""The manual pages: well formed, and true to --help."""

import re
import subprocess

import pytest

from helpers.programs import RECEIVER, ROOT, SENDER, run
from helpers.tools import need

PAGES = {
    RECEIVER: ROOT / "receiver" / "blob-receiver.8",
    SENDER: ROOT / "sender" / "blob-sender.1",
}
VERBS = [
    (RECEIVER, "serve"),
    (RECEIVER, "verify"),
    (RECEIVER, "list"),
    (RECEIVER, "fetch"),
    (SENDER, "stream"),
    (SENDER, "upload"),
    (SENDER, "spool list"),
    (SENDER, "spool requeue"),
    (SENDER, "spool verify"),
]
OF_EVERY_VERB = {"help", "version"}


def section(page, verb):
    """What the page says below the heading of a verb."""
    found = re.search(
        rf"^\.Ss {verb}\n(.*?)(?=^\.S[sh] )", page.read_text(), re.DOTALL | re.MULTILINE
    )
    assert found, f"{page.name} has no section '{verb}'"
    return found[1]


def documented(page, verb):
    """{long name: short name or None}"""
    items = re.findall(
        r"^\.It (?:Fl (\w) , )?Fl Fl ([a-z0-9-]+)", section(page, verb), re.MULTILINE
    )
    return {long: short or None for short, long in items}


def offered(program, verb):
    result = run(program, *verb.split(), "--help")
    assert result.returncode == 0, result.stderr
    rows = re.findall(r"^  (?:-(\w), |    )--([a-z0-9-]+)", result.stdout, re.MULTILINE)
    return {long: short or None for short, long in rows if long not in OF_EVERY_VERB}


@pytest.mark.parametrize("program, verb", VERBS, ids=[v for _, v in VERBS])
def test_manual_names_the_options_of_the_help(program, verb):
    assert documented(PAGES[program], verb) == offered(program, verb)


@pytest.mark.parametrize("program, verb", VERBS, ids=[v for _, v in VERBS])
def test_manual_states_the_defaults_of_the_help(program, verb):
    text = run(program, *verb.split(), "--help").stdout
    rows = re.split(r"^  (?:-\w, |    )(?=--)", text, flags=re.MULTILINE)[1:]
    items = re.split(r"^\.It ", section(PAGES[program], verb), flags=re.MULTILINE)
    for row in rows:
        name = re.search(r"--([a-z0-9-]+)", row)[1]
        default = re.search(r"\(default:\s+([^;)]+)", row)
        if not default or default[1] == ".":
            continue
        [item] = [i for i in items if re.match(rf"(Fl \w , )?Fl Fl {name}\b(?!-)", i)]
        assert f"The default is {default[1].strip()}." in item, name


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.name)
def test_mandoc_has_no_objection(page):
    need("mandoc")
    result = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True
    )
    assert result.stdout == ""
    assert result.returncode == 0
