"""docs/corpora.md explains every reason that the code can give."""

from __future__ import annotations

import re

from pipeline.core.config import load_params
from stages.preprocess.quality import thresholds
from stages.preprocess.records import LIMIT_CODES, WORKER_ERROR

# MediaError("probe", "no_sound", ...) | reject(name, source, "unlisted", ...) | (name, "bad_name", ...) | "code": "x"
GIVEN = re.compile(r'MediaError\("\w+", "(\w+)"|reject\([^"]*?"(\w+)",|\(name, "(\w+)",|"code": "(\w+)"|'
                   r'RejectRow\([^"]*?"(\w+)",|"(\w+)" if unsafe else "(\w+)"', re.DOTALL)


def test_every_code_is_explained(project):
    sources = [path for folder in ("stages/preprocess", "pipeline/media", "pipeline/compute")
               for path in (project / folder).rglob("*.py")]
    given = {code for path in sources for groups in GIVEN.findall(path.read_text()) for code in groups if code}
    params = load_params(project / "params.yaml").preprocess.thresholds
    given |= {t.code for t in thresholds(params, False)} | {WORKER_ERROR, *LIMIT_CODES}
    assert len(given) > 35 and {"unlisted", "no_times", "near_duplicate", "size_change", "bad_manifest_row"} <= given
    explained = set(re.findall(r"`(\w+)`", (project / "docs" / "corpora.md").read_text()))
    assert given <= explained, given - explained
