"""The page in a real browser, end to end, with fakes for the networks; nothing is loaded from anywhere else."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from models.generation.talking_head import TalkingHead
from pipeline.animate.animator import Animator
from pipeline.animate.provenance import inspect_media
from playmate.web.studio import Limits
from tests.pipeline.animate.fakes import FakeDetector, FakeEncoder, FakeGenerator, FakeSpace

WAIT_MS = 240_000
pytestmark = [pytest.mark.slow, pytest.mark.processes]


class OneOrTwo:
    """Two faces of one size in blue pictures, one in others."""

    def detect(self, image: np.ndarray):
        boxes = [(0.0, 0.0, 40.0, 40.0), (50.0, 50.0, 90.0, 90.0)]
        return FakeDetector(*boxes[:2 if image[0, 0, 0] < 100 else 1]).detect(image)


@contextmanager
def served(folder: Path, **options) -> Iterator[str]:
    """Address of a page with fakes for the networks; `folder` takes uploads."""
    pytest.importorskip("gradio", reason="the page is the extra `web`")
    uvicorn = pytest.importorskip("uvicorn")
    from playmate.web.server import make_app

    animator = Animator(TalkingHead(FakeSpace(), FakeGenerator()), FakeEncoder(), OneOrTwo(), "test/1")
    folder.mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = make_app(animator, Limits(upload_mb=1), folder, **options)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture
def site(tmp_path) -> Iterator[tuple[str, Path]]:
    """Address of the page and the folder of its uploads."""
    with served(tmp_path / "uploads") as address:
        yield address, tmp_path / "uploads"


def chromium() -> str:
    """A Chromium on this machine, or the one that playwright installed; skips the test where there is none."""
    named = os.environ.get("PLAYMATE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if named:
        return named
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        own = started.chromium.executable_path
    if not Path(own).is_file():
        pytest.skip("no Chromium: install one, run `playwright install chromium`, or name it in PLAYMATE_CHROMIUM")
    return own


def test_upload_choose_and_watch(site, tmp_path):
    address, folder = site
    executable = chromium()
    playwright = pytest.importorskip("playwright.sync_api")
    Image.new("RGB", (100, 120), "white").save(tmp_path / "face.png")
    soundfile.write(tmp_path / "speech.wav", 0.3 * np.sin(np.arange(32000) * 0.2), 16000)
    asked: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.set_input_files("#portrait input[type=file]", str(tmp_path / "face.png"))
        page.set_input_files("#speech input[type=file]", str(tmp_path / "speech.wav"))
        page.wait_for_selector("#portrait img")
        page.wait_for_selector("#timeline :text('2.0 s')")  # the length of the speech
        page.click("#emotion input")
        page.click("ul[role=listbox] >> text=neutral")
        page.wait_for_selector("#timeline :text('0 s neutral 1')")  # for the whole film, as nothing else is there
        page.click("#add")
        page.click("#emotion input")
        page.click("ul[role=listbox] >> text=happy")
        page.fill("#start input", "1")
        page.click("#add")
        page.wait_for_selector("#timeline :text('1 s happy 1')")
        page.click("#go")
        page.wait_for_selector("text=tick that the person shown agreed")
        page.check("#consent input")
        page.click("#go")
        page.wait_for_selector("#film video")
        page.wait_for_function("document.querySelector('#film video').readyState >= 2")
        length_s, width, broken = page.eval_on_selector(
            "#film video", "film => [film.duration, film.videoWidth, film.error !== null]")
        browser.close()
    assert (round(length_s, 1), width, broken) == (2.0, 512, False)
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    [film] = folder.glob("film-*/playmate.mp4")
    assert inspect_media(film)["credentials"]["facts"]["emotion"] == ["neutral:1@0", "happy:1@1"]


def test_of_several_faces_one_is_chosen(site, tmp_path, monkeypatch):
    address, _ = site
    chosen, plain = [], Animator.portrait
    monkeypatch.setattr(Animator, "portrait", lambda self, picture, face=None: (
        chosen.append(face), plain(self, picture, face))[1])
    executable = chromium()
    playwright = pytest.importorskip("playwright.sync_api")
    Image.new("RGB", (100, 120), "blue").save(tmp_path / "two.png")
    soundfile.write(tmp_path / "speech.wav", 0.3 * np.sin(np.arange(8000) * 0.2), 16000)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})  # a phone
        page.set_default_timeout(WAIT_MS)
        page.goto(address)
        page.set_input_files("#portrait input[type=file]", str(tmp_path / "two.png"))
        page.set_input_files("#speech input[type=file]", str(tmp_path / "speech.wav"))
        page.wait_for_selector("#timeline :text('0.5 s')")
        page.click("#face label:has-text('2')")
        page.check("#consent input")
        page.click("#go")
        page.wait_for_selector("#film video")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        browser.close()
    assert chosen == [None, 2]  # a look at the upload, then the film


def asked_by_hand(address: str, path: str, **file) -> str:
    """What the page answers to a request for a film of the file `path`, made without the page."""
    import requests

    from playmate.web.page import DIALS, STARTED_WITH

    config = requests.get(f"{address}/config", timeout=60).json()
    [animate] = [one["id"] for one in config["dependencies"] if len(one["inputs"]) == 16 + len(DIALS)]
    given = {"path": path, "meta": {"_type": "gradio.FileData"}, **file}
    film = [given, "the largest", given, [], "none", 1, "generated", None, 1, 1, 0, False, False, True, STARTED_WITH]
    return asked(address, animate, [*film, {"video": given}, *("" for _ in DIALS)])


def asked(address: str, function: int, data: list) -> str:
    """What the page's queue answers to this call of a function."""
    import requests

    session = uuid.uuid4().hex
    body = {"data": data, "fn_index": function, "session_hash": session}
    requests.post(f"{address}/gradio_api/queue/join", json=body, timeout=60).raise_for_status()
    return requests.get(f"{address}/gradio_api/queue/data", params={"session_hash": session}, timeout=120).text


@pytest.mark.parametrize("host", ["huggingface.co", "example.com", "127.0.0.1"])  # Gradio trusts the first one
def test_links_are_not_followed(site, monkeypatch, host):
    import httpx
    import requests

    asked: list[str] = []

    async def record(_, request, **__):
        asked.append(str(request.url))
        return httpx.Response(200, content=b"x")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", record)
    address, folder = site
    link = f"http://{host}/a.png"
    for answer in (asked_by_hand(address, link), asked_by_hand(address, f"{link}?", is_stream=True),
                   asked_by_hand(address, str(folder / "a.png"), url=link)):
        assert '"success":false' in answer
    assert requests.get(f"{address}/gradio_api/file={link}", timeout=60).status_code == 403
    assert requests.get(f"{address}/gradio_api/proxy={link}", timeout=60).status_code >= 400
    assert asked == []


def test_requests_by_hand_reach_no_file(site):
    import requests

    address, folder = site
    queued = [one for one in requests.get(f"{address}/config", timeout=60).json()["dependencies"] if one["queue"]]
    looks = [one["id"] for one in queued if len(one["inputs"]) == 1]
    [dub] = [one["id"] for one in queued if len(one["inputs"]) == 9]
    assert (len(queued), len(looks)) == (4, 2)  # film, dubbed film; faces of a portrait, length of a speech
    stolen = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    dubbed = asked(address, dub, [{"video": stolen}, stolen, "1", "trim", "neutral", False, 0, False, True])
    for answer in (asked_by_hand(address, "/etc/passwd"), dubbed, *(asked(address, look, [stolen]) for look in looks)):
        assert '"success":false' in answer and "root:" not in answer
    assert requests.get(f"{address}/gradio_api/file=/etc/passwd", timeout=60).status_code == 403
    assert requests.get(address, headers={"Host": "elsewhere.example"}, timeout=60).status_code == 400
    sent = requests.post(f"{address}/gradio_api/upload", files={"files": ("a.png", b"0" * (2 * 2**20))}, timeout=60)
    assert sent.status_code == 413
    assert not list(folder.glob("film-*"))


def test_a_visitor_without_files_clicks_an_example(tmp_path):
    executable = chromium()
    playwright = pytest.importorskip("playwright.sync_api")
    shown = []
    for name in ("a", "b"):
        (tmp_path / "uploads/examples").mkdir(parents=True, exist_ok=True)
        shown.append([str(tmp_path / f"uploads/examples/{name}.{kind}") for kind in ("png", "wav")])
        Image.new("RGB", (100, 120), "white").save(shown[-1][0])
        soundfile.write(shown[-1][1], 0.3 * np.sin(np.arange(16000) * 0.2), 16000)
    with served(tmp_path / "uploads", shown=shown) as address, playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(address)
        page.click("#examples img >> nth=1")
        page.wait_for_selector("#timeline :text('1.0 s')")
        label, bar = (page.locator(name).bounding_box() for name in ("#timeline-label", "#timeline :text('0 s no')"))
        assert label["y"] + label["height"] <= bar["y"]   # it does not lie over the bar
        page.check("#consent input")
        page.click("#go")
        page.wait_for_selector("#film video")
        browser.close()


def test_behind_a_proxy_with_a_path_and_a_name(tmp_path):
    import requests

    with served(tmp_path / "uploads", names=["talk.example.org"], root_path="/talk") as address:
        page = requests.get(address, headers={"Host": "talk.example.org"}, timeout=60)
        assert page.status_code == 200 and "talk.example.org/talk" in page.text   # its addresses go through the proxy
        assert requests.get(address, headers={"Host": "elsewhere.example"}, timeout=60).status_code == 400


@pytest.mark.parametrize("options", [{"root_path": "talk"}, {"root_path": "/a b"}, {"root_path": "/a/"},
                                     {"names": ["http://a.b"]}, {"names": ["a.b/c"]}])
def test_a_path_or_name_that_is_none(tmp_path, options):
    with pytest.raises(ValueError, match=r"--root-path|--name"), served(tmp_path / "uploads", **options):
        pass


def test_the_examples_are_pictures_and_voices(tmp_path, monkeypatch):
    from pipeline.weights.table import WeightsError, weight_path
    from playmate.web import examples

    monkeypatch.setattr(examples, "cache_folder", lambda: tmp_path / "cache")
    try:
        weight_path("portrait_pyfeat_f15"), weight_path("kokoro_1")
    except WeightsError as error:
        pytest.skip(str(error))
    found = examples.examples(tmp_path / "uploads")
    assert [Image.open(portrait).size for portrait, _ in found] == [(512, 512)] * 2
    assert all(3 < soundfile.info(speech).duration < 7 for _, speech in found)
    monkeypatch.setattr(examples, "_make", lambda *_: (_ for _ in ()).throw(WeightsError("not there")))
    assert examples.examples(tmp_path / "others") == []


def test_a_film_gets_new_speech_on_the_second_tab(site, tmp_path, monkeypatch):
    from fractions import Fraction

    from pipeline.dub.plan import show
    from pipeline.media.film import write_video
    from playmate.web import studio

    asked: list[dict] = []

    def made(animator, film, speech, out, progress, tell, **options):
        asked.append(options | {"bytes": len(film)})
        pictures = [np.full((64, 96, 3), 9 * i, np.uint8) for i in range(20)]
        for picture in pictures:
            progress(picture, show(tuple(Fraction(i, 20) for i in range(20)), Fraction(20), 1.0, "trim"))
        tell("the speech is cut where the film ends")
        return write_video(out, pictures, 20)

    monkeypatch.setattr(studio, "dub_to_file", made)
    address, _ = site
    executable = chromium()
    playwright = pytest.importorskip("playwright.sync_api")
    write_video(tmp_path / "film.mp4", [np.full((64, 96, 3), 90, np.uint8)] * 10, 25)
    soundfile.write(tmp_path / "speech.wav", 0.3 * np.sin(np.arange(16000) * 0.2), 16000)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(address)
        page.click("button[role=tab]:has-text('New speech for a film')")
        page.set_input_files("#dub_film input[type=file]", str(tmp_path / "film.mp4"))
        page.set_input_files("#dub_speech input[type=file]", str(tmp_path / "speech.wav"))
        page.wait_for_selector("#dub_film video")
        page.click("#dub_fit label:has-text('loop')")
        page.check("#dub_consent input")
        page.click("#dub_go")
        page.wait_for_selector("#dubbed video")
        page.wait_for_function("document.querySelector('#dubbed video').readyState >= 2")
        size = page.eval_on_selector("#dubbed video", "film => [film.videoWidth, film.error !== null]")
        page.wait_for_selector("#dub_said :text('the speech is cut where the film ends')")
        browser.close()
    assert size == [96, False]
    assert asked[0]["fit"] == "loop" and asked[0]["face"] is None and asked[0]["bytes"] > 500
