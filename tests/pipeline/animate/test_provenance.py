"""Content credentials and tags: written, read, and broken by any change."""

from __future__ import annotations

import datetime
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from pipeline.animate import credentials
from pipeline.animate.credentials import CredentialsError, local_credentials, own_credentials
from pipeline.animate.provenance import (
    Edited,
    generation_facts,
    inspect_media,
    metadata_tags,
    print_media,
    sign,
    signing,
)
from pipeline.media.film import write_video

FACTS = generation_facts("embedded/emotion/0123", emotion="happy", seed=None)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    frames = [np.full((64, 64, 3), 5 * i, np.uint8) for i in range(25)]
    write_video(path, frames, 25, np.sin(np.arange(16000) * 0.1).astype(np.float32), tags=metadata_tags(FACTS),
                finish=signing(FACTS, True))
    return path


def test_a_film_says_what_it_is(film, capsys):
    found = inspect_media(film)
    assert FACTS == {"synthetic": True, "generator": "playmate", "model": "embedded/emotion/0123", "emotion": "happy"}
    assert found["tag"] == FACTS and found["credentials"]["facts"] == FACTS
    assert found["credentials"]["state"] == "Valid" and "self-signed" in found["credentials"]["signer"]
    assert any("untrusted" in problem for problem in found["credentials"]["problems"])  # nobody vouches for the signer
    assert (found["media"]["frames"], found["media"]["fps"], found["media"]["sample_rate_hz"]) == (25, 25.0, 16000)
    assert [path.name for path in film.parent.iterdir()] == ["film.mp4"]
    print_media(film)
    assert "content credentials: Valid" in capsys.readouterr().out


def test_one_changed_byte_of_the_picture_is_seen(film, tmp_path):
    data = bytearray(film.read_bytes())
    data[data.find(b"mdat") + 300] ^= 1
    (tmp_path / "changed.mp4").write_bytes(data)
    found = inspect_media(tmp_path / "changed.mp4")["credentials"]
    assert found["state"] == "Invalid" and any("mismatch" in problem for problem in found["problems"])


def test_an_edited_film_names_what_was_edited_and_carries_its_credentials(film, tmp_path, capsys):
    import c2pa

    pictures = [np.zeros((64, 64, 3), np.uint8)] * 3
    write_video(tmp_path / "dubbed.mp4", pictures, 25, finish=signing(FACTS, True, Edited(film)))
    found = inspect_media(tmp_path / "dubbed.mp4")["credentials"]
    assert (found["state"], found["edited"]) == ("Valid", "film.mp4")
    with (tmp_path / "dubbed.mp4").open("rb") as file, c2pa.Reader("video/mp4", file) as reader:
        store = json.loads(reader.json())
    assert len(store["manifests"]) == 2   # its own, and the film's
    newest = store["manifests"][store["active_manifest"]]
    actions = next(one["data"]["actions"] for one in newest["assertions"] if one["label"].startswith("c2pa.actions"))
    assert [action["action"] for action in actions] == ["c2pa.opened", "c2pa.edited"]
    assert newest["ingredients"][0]["active_manifest"] in store["manifests"]
    print_media(tmp_path / "dubbed.mp4")
    assert 'edited from: "film.mp4"' in capsys.readouterr().out
    (tmp_path / "film.mkv").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(200))
    write_video(tmp_path / "other.mp4", pictures, 25, finish=signing(FACTS, True, Edited(tmp_path / "film.mkv")))
    found = inspect_media(tmp_path / "other.mp4")["credentials"]
    assert (found["state"], found["edited"]) == ("Valid", "film.mkv")
    assert inspect_media(film)["credentials"]["edited"] is None


def test_films_without_credentials(tmp_path, capsys):
    path = tmp_path / "plain.mp4"
    tags = {"comment": json.dumps({"generator": "somebody else"}), "title": "\x1b[2Jx"}
    write_video(path, [np.zeros((64, 64, 3), np.uint8)], 25, tags=tags)
    found = inspect_media(path)
    assert found["credentials"] is None and found["tag"] is None
    print_media(path)
    assert "\x1b" not in capsys.readouterr().out
    with pytest.raises(ValueError, match="cannot be read as a film"):
        inspect_media(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(ValueError, match="cannot be read as a film"):
        inspect_media(tmp_path / "text.mp4")


def test_the_local_key_is_made_once_and_for_its_user_alone():
    first = local_credentials()
    local_credentials.cache_clear()
    assert local_credentials() == first
    place = credentials.folder() / credentials.FILE
    assert place.stat().st_mode & 0o777 == 0o600
    signer, root = x509.load_pem_x509_certificates(first.chain)
    signer.verify_directly_issued_by(root)


def own(folder: Path, key, days: int = 30) -> tuple[Path, Path]:
    """A chain and key as a user has them: made by the project's own builder, with another key and end."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    name = credentials._name("own")
    certificate = credentials._certificate("own", key, "own root", root_key, authority=False)
    builder = x509.CertificateBuilder(certificate.issuer, name, key.public_key(), 7, now - datetime.timedelta(days=60),
                                      now + datetime.timedelta(days=days), list(certificate.extensions))
    chain = [builder.sign(root_key, hashes.SHA256()),
             credentials._certificate("own root", root_key, "own root", root_key, authority=True)]
    (folder / "chain.pem").write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain))
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                       serialization.NoEncryption()))
    return folder / "chain.pem", folder / "key.pem"


@pytest.mark.parametrize(("key", "algorithm"), [(ec.generate_private_key(ec.SECP384R1()), "es384"),
                                                (ed25519.Ed25519PrivateKey.generate(), "ed25519")])
def test_an_own_certificate_signs(film, tmp_path, key, algorithm):
    signer = own_credentials(*own(tmp_path, key))
    shutil.copy(film, tmp_path / "own.mp4")
    sign(tmp_path / "own.mp4", {"model": "mine"}, signer)
    found = inspect_media(tmp_path / "own.mp4")["credentials"]
    assert signer.algorithm == algorithm
    assert (found["state"], found["facts"]) == ("Valid", {"model": "mine"})


def test_certificates_that_cannot_be_used_are_named(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    chain, secret = own(tmp_path, key, days=-1)
    with pytest.raises(CredentialsError, match="expired on"):
        own_credentials(chain, secret)
    other = tmp_path / "other"
    other.mkdir()
    _, stranger = own(other, ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(CredentialsError, match="do not belong together"):
        own_credentials(chain, stranger)
    with pytest.raises(CredentialsError, match="cannot be read"):
        own_credentials(tmp_path / "none.pem", secret)
    with pytest.raises(CredentialsError, match="PEM"):
        own_credentials(secret, secret)
