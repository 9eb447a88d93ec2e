"""Every command line of the documents is one that the command takes, every command's help has an example, and the
cheap ones run as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from playmate.main import app

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md",
             *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "LOG.md")]   # it tells of the past
COMMAND = typer.main.get_command(app)
CHEAP = ["playmate weights list --profile paper", "playmate weights verify", "playmate status", "playmate profile",
         "playmate animate --help"]


def fenced(text: str) -> list[str]:
    """Lines in code blocks that begin with `playmate`, continued ones joined, without comments."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [part.strip() for line in lines for part in line.split("#")[0].split("&&")
            if part.strip().startswith("playmate ")]


def inline(text: str) -> list[str]:
    """`playmate ...` within sentences and tables; what is [optional] is left out, `list / pull` are two commands."""
    found = []
    for line in re.findall(r"`(playmate [a-z][^`\n]*)`((?: / `[a-z]+`)*)", re.sub(r"```.*?```", "", text, flags=re.S)):
        words, others = re.sub(r"\s*\[[^]]*\]", "", line[0]), re.findall(r"`([a-z]+)`", line[1])
        first, *more = words.split(" / ")
        found += [first, *(f"{first.rpartition(' ')[0]} {word}" for word in (*more, *others))]
    return found


LINES = sorted({line for path in DOCUMENTS for line in fenced(path.read_text())})
MENTIONS = sorted({line for path in DOCUMENTS for line in inline(path.read_text())})


def parsed(line: str) -> tuple[click.Command, list[str]]:
    """The command that a line calls and its arguments; raises click's UsageError for what it does not take."""
    command, context, arguments = COMMAND, typer.Context(COMMAND), shlex.split(line)[1:]
    while hasattr(command, "commands"):
        name, found, rest = command.resolve_command(context, arguments)
        command, arguments = found, rest
        context = typer.Context(found, parent=context, info_name=name)
    return command, arguments


def check(line: str) -> None:
    command, arguments = parsed(line)
    if "--help" not in arguments:
        command.make_context(command.name, list(arguments))


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_documents_is_taken_as_it_stands(line):
    check(line)


@pytest.mark.parametrize("line", MENTIONS)
def test_a_command_that_a_sentence_names_is_there(line):
    if parsed(line)[1]:
        check(line)


def commands(command=COMMAND, path: str = "playmate") -> dict:
    below = getattr(command, "commands", None)
    if below is None:
        return {path: command}
    return {name: one for key, sub in below.items() for name, one in commands(sub, f"{path} {key}").items()}


@pytest.mark.parametrize("name", commands())
def test_the_help_has_an_example_of_this_command(name):
    epilog = commands()[name].epilog or ""
    assert epilog.startswith(f"Example: {name}"), f"{name}: no example in its help (epilog=...)"
    check(epilog.removeprefix("Example: "))


def test_there_are_lines_at_all():
    assert len(LINES) > 8 and len(MENTIONS) > 12 and len(commands()) > 18


@pytest.mark.parametrize("line", CHEAP)
def test_cheap_ones_run(line, project, monkeypatch):
    monkeypatch.chdir(project)
    done = CliRunner().invoke(app, shlex.split(line)[1:])
    assert done.exit_code == 0 and done.output, done.output


def test_the_exit_codes_are_in_the_help_and_the_readme():
    said = CliRunner().invoke(app, ["--help"]).output
    assert "1 the run failed" in said and "2 the input is wrong" in said
    assert "2 the input is wrong" in (ROOT / "README.md").read_text()
