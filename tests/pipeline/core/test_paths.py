from pathlib import Path

from pipeline.core.paths import work_folder


def test_an_experiment_of_dvc_uses_its_projects_state():
    assert work_folder(Path("/home/a/project/.dvc/tmp/exps/tmpx1")) == Path("/home/a/project/.playmate")
    assert work_folder(Path("/home/a/project/.dvc/tmp/exps/standalone/tmpx1")) == Path("/home/a/project/.playmate")
    assert work_folder(Path("/home/a/project")) == Path(".playmate")
