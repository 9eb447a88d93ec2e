"""Self-signed credentials of the tests are kept in a folder of theirs, and made once."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def credentials_of_the_tests(tmp_path_factory):
    from pipeline.animate import credentials

    place = tmp_path_factory.mktemp("credentials")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(credentials, "folder", lambda: place)
        credentials.local_credentials.cache_clear()
        yield
    credentials.local_credentials.cache_clear()
