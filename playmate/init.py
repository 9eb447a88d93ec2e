"""`playmate init FOLDER [--data PATH ...]`: a project of its own, in which `dvc repro` and all commands run.

It holds params.yaml, dvc.yaml and the checkpoint that training may start from; the code is that of the installed
package. So its stage `code` looks at the package in every run, and after an upgrade what changed is computed anew.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

from pipeline.core.atomic import write_text
from pipeline.core.config import own_or_packaged_params, parse_params
from pipeline.core.data_params import Corpus
from pipeline.core.paths import PACKAGED, SHIPPED
from playmate.corpora import Found, check_path
from playmate.profile import apply, yaml_editor

REMOTE = "s3://"
HEADERS = 40   # of each corpus' files, as `playmate corpora check` reads
IGNORED = ("/data/", "/reports/", "/scores/", "/.playmate/")   # by git
SETTINGS = ("core.analytics=false", "core.autostage=false", "core.check_update=false",
            "cache.type=reflink,hardlink,symlink,copy")   # of DVC
NOBODY = ("-c", "user.name=playmate", "-c", "user.email=playmate@localhost")   # where git knows no author


def make_project(folder: Path, data: Sequence[str], profile: str, say: Callable[[str], None]) -> list[Found]:
    """Make a project in a new or empty `folder` and return the corpora found; without `data` it makes its own corpora.

    Raises ValueError for a folder that holds something, CorpusError for data that no reader fits, ParamsError for an
    unknown profile, FileNotFoundError without git.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not empty: name a new folder, in which nothing of yours lies")
    if shutil.which("git") is None:
        raise FileNotFoundError("a project is a git repository, and there is no git on this machine: install it")
    places = [place if place.startswith(REMOTE) else os.path.abspath(os.path.expanduser(place)) for place in data]
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with chdir(folder):   # what may be a corpus, and how its path is written, is asked of the new project
            found = [corpus for place in places for corpus in check_path(place, own_or_packaged_params(), HEADERS)]
            _fill(profile, found, say)
    except BaseException:   # the same command can be given again
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if is_new:
            folder.rmdir()
        raise
    say(f"{folder}: a project of profile {profile}, with "
        + (f"the corpora {', '.join(_names(found))}" if found else "the small corpora that it makes itself"))
    return found


def _fill(profile: str, found: Sequence[Found], say: Callable[[str], None]) -> None:
    """The files of a project in the present folder, committed."""
    shutil.copytree(PACKAGED / SHIPPED, SHIPPED)
    write_text(Path("dvc.yaml"), pipeline_of_a_package((PACKAGED / "dvc.yaml").read_text()))
    write_text(Path("params.yaml"), (PACKAGED / "params.yaml").read_text())
    apply(profile)
    if found:
        write_text(Path("params.yaml"), with_corpora(Path("params.yaml").read_text(), found, say))
    write_text(Path(".gitignore"), "\n".join(IGNORED) + "\n")
    _run("git", "init", "-q")
    _dvc("init", "-q")
    for setting in SETTINGS:
        _dvc("config", *setting.split("="))
    commit("playmate init")


def pipeline_of_a_package(text: str) -> str:
    """dvc.yaml of the clone -> of a project whose code lies in the installed package, where DVC cannot look."""
    editor = yaml_editor()
    values = editor.load(text)
    code = values["stages"]["code"]
    code["deps"] = [one for one in code["deps"] if "/" in one]   # not the packages
    code["always_changed"] = True
    return _dump(editor, values)


def with_corpora(text: str, found: Sequence[Found], say: Callable[[str], None]) -> str:
    """params.yaml with the corpora found; without labelled clips stage 2 keeps the module that it starts from."""
    editor = yaml_editor()
    values = editor.load(text)
    said = {name: corpus.said for name, corpus in zip(_names(found), found, strict=True)}
    if not any("audio" in corpus.use for corpus in said.values()):
        said = {name: corpus.model_copy(update={"use": ["audio", *(use for use in corpus.use if use != "test")]})
                for name, corpus in said.items()}
    comment = values.ca.items.get("corpora")
    values["corpora"] = {name: _flow(corpus) for name, corpus in said.items()}
    if comment is not None:
        values.ca.items["corpora"] = comment
    if not any("emotion" in corpus.use for corpus in said.values()):
        if values["train_emotion"]["init"] == "none":
            say("no clip is labelled with an emotion: `dvc repro train_audio` trains stage 1; stage 2 needs labels")
        else:
            values["train_emotion"]["steps"] = 0
            say("no clip is labelled with an emotion: the emotions of the model that training starts from are kept "
                "(train_emotion.steps 0)")
    made = _dump(editor, values)
    parse_params(yaml_editor().load(made), "params.yaml")
    return made


def commit(message: str) -> None:
    """Commit all that git sees in this folder."""
    _run("git", "add", "-A")
    known = subprocess.run(["git", "config", "user.email"], capture_output=True, check=False).returncode == 0
    _run("git", *(() if known else NOBODY), "commit", "-q", "--no-verify", "-m", message)


def _names(found: Sequence[Found]) -> list[str]:
    """A name for each corpus, numbered where two folders have one."""
    names: list[str] = []
    for corpus in found:
        same = sum(name == corpus.corpus or name.startswith(f"{corpus.corpus}_") for name in names)
        names.append(f"{corpus.corpus}_{same + 1}" if corpus.corpus in names else corpus.corpus)
    return names


def _flow(corpus: Corpus) -> Any:
    """A corpus as one line."""
    from ruamel.yaml.comments import CommentedMap

    line = CommentedMap(corpus.model_dump())
    line.fa.set_flow_style()
    return line


def _dump(editor: Any, values: Any) -> str:
    text = io.StringIO()
    editor.dump(values, text)
    return text.getvalue()


def _dvc(*arguments: str) -> None:
    _run(sys.executable, "-m", "dvc", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{' '.join(command[:3])} failed: {(done.stderr or done.stdout).strip()[-500:]}")
