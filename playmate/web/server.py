"""Serve the page on this machine: nothing is sent anywhere, nothing is loaded from anywhere else."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from pipeline.animate.animator import Animator
from playmate.web.examples import examples
from playmate.web.studio import Limits, Studio

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1", "[::1]")
POLICY = ("default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
          "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'")


def serve(animator: Animator, host: str = "127.0.0.1", port: int = 7860, limits: Limits | None = None,
          names: Sequence[str] = (), root_path: str = "",
          models: Mapping[str, Callable[[], Animator]] = MappingProxyType({})) -> None:
    """Serve until interrupted. Uploads and films lie in a temporary folder, which goes when the server does.

    `names`: host names under which a proxy shows the page; `root_path`: the path below them ("/talk").
    `models`: others that visitors may choose, by name, loaded when they are.
    """
    import uvicorn

    with tempfile.TemporaryDirectory(prefix="playmate-web-") as folder:
        app = make_app(animator, limits or Limits(), Path(folder), host, names, root_path,
                       examples(Path(folder) / "examples"), models)
        print(f"Playmate's page: http://{host}:{port} (stop with Ctrl-C)", flush=True)
        uvicorn.run(app, host=host, port=port, log_level="warning")


def make_app(animator: Animator, limits: Limits, folder: Path, host: str = "127.0.0.1", names: Sequence[str] = (),
             root_path: str = "", shown: Sequence[tuple[str, str]] = (),
             models: Mapping[str, Callable[[], Animator]] = MappingProxyType({})):
    """The web application (ASGI); `folder` takes uploads and films; `shown`: portraits and speeches to click, in it;
    `models`: others that visitors may choose.

    Raises ImportError without the extra `web`, ValueError for a root path or a name that is none.
    """
    if root_path and not re.fullmatch(r"(/[\w.~-]+)+", root_path):
        raise ValueError(f"--root-path {root_path!r}: a path such as /talk")
    for name in names:
        if not re.fullmatch(r"(\*\.)?[A-Za-z0-9.-]+", name):
            raise ValueError(f"--name {name!r}: a host name such as talk.example.org, without http:// and port")
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=str(folder), HF_HUB_OFFLINE="1",
                      HF_HUB_DISABLE_TELEMETRY="1")
    import gradio
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from playmate.web.page import THEME, build_page

    _follow_no_links()
    app = FastAPI(openapi_url=None)
    page = build_page(Studio(animator, limits, folder, models), shown)
    app = gradio.mount_gradio_app(app, page, path="/", max_file_size=limits.upload_mb * 2**20, show_error=True,
                                  ssr_mode=False, enable_monitoring=False, theme=THEME, footer_links=[],
                                  root_path=root_path or None)
    app.add_middleware(_Policy)
    # other names would let pages of others in (rebinding)
    hosts = [*LOCAL_HOSTS, *names] if names or host in LOCAL_HOSTS else ["*"]
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    return app


def _follow_no_links() -> None:
    """Gradio fetches public addresses that a request names, all of them through safehttpx: from now on that refuses."""
    import safehttpx

    async def refuse(*_: object, **__: object) -> None:
        raise ValueError("links are not followed: upload the file")

    for name in ("get", "async_validate_url"):
        if not hasattr(safehttpx, name):
            raise ImportError(f"safehttpx has no {name} any more: this version of Gradio fetches links in another way")
        setattr(safehttpx, name, refuse)


class _Policy:
    """The browser loads nothing from other places, and no other page shows this one in a frame."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send) -> None:
        async def with_policy(message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode()),
                                      (b"x-content-type-options", b"nosniff")]
            await send(message)

        await self._app(scope, receive, with_policy)
