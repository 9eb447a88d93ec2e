"""Where a film comes from: content credentials (C2PA) and a plain metadata tag, written and read.

The tag says in two metadata fields that every player shows that the film is synthetic and which model made it. The
credentials say the same in a signed manifest inside the MP4: whoever changes a byte of picture or sound breaks the
signature. They use random salts and the time of signing, so signed films are not equal byte for byte; without
credentials the same input gives the same file. Nothing here uses the network: no time-stamping server is asked, and
manifests that lie elsewhere are not fetched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import c2pa

from pipeline.animate.credentials import Credentials, CredentialsError, local_credentials
from pipeline.media.container import MediaError, open_media
from pipeline.media.film import SYNTHETIC

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
ASSERTION = "playmate.generation"
GENERATOR = "playmate"
INGREDIENT = "the-film-that-was-edited"
SETTINGS = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
            "builder": {"thumbnail": {"enabled": False}}}


def generation_facts(model: str, **details: Any) -> dict[str, Any]:
    """What tag and credentials say: that the film is synthetic, the model's version, and `details` that are given."""
    return {"synthetic": True, "generator": GENERATOR, "model": model,
            **{name: value for name, value in details.items() if value is not None}}


def metadata_tags(facts: dict[str, Any]) -> dict[str, str]:
    """The plain tag: fields of the MP4's metadata."""
    return SYNTHETIC | {"comment": json.dumps(facts, sort_keys=True)}


@dataclass(frozen=True)
class Edited:
    """The film that was edited: it becomes the new one's ingredient, with credentials of its own where it has any."""

    film: Path


def signing(facts: dict[str, Any], credentials: Credentials | bool,
            edited: Edited | None = None) -> Callable[[Path], None] | None:
    """How `write_video` ends: signing with these credentials, with the user's self-signed ones (True), or nothing.

    The manifest says that the film was created, or, with `edited`, that that film was opened and edited.
    """
    if credentials is False:
        return None
    signer = local_credentials() if credentials is True else credentials
    return lambda path: sign(path, facts, signer, edited)


def sign(path: Path, facts: dict[str, Any], credentials: Credentials, edited: Edited | None = None) -> None:
    """Put a signed C2PA manifest into the MP4 at `path`; raises CredentialsError where the certificate is refused."""
    signed = path.with_name(f"{path.stem}.signed{path.suffix}")
    try:
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(
            alg=credentials.algorithm.encode(), sign_cert=credentials.chain, private_key=credentials.key, ta_url=None))
        with signer, c2pa.Context(c2pa.Settings.from_dict(SETTINGS)) as context, \
                c2pa.Builder(_manifest(facts, edited), context) as builder, \
                path.open("rb") as source, signed.open("w+b") as out:
            if edited is not None and _is_read(edited.film):
                with edited.film.open("rb") as film:
                    builder.add_ingredient(_ingredient(edited), "video/mp4", film)
            builder.sign(signer, "video/mp4", source, out)
        os.replace(signed, path)
    except c2pa.C2paError as error:
        raise CredentialsError(f"content credentials cannot be written with this certificate: {error}") from error
    finally:
        signed.unlink(missing_ok=True)


def _manifest(facts: dict[str, Any], edited: Edited | None) -> dict[str, Any]:
    agent = {"name": "Playmate", "version": version("playmate-pipeline")}
    made = {"digitalSourceType": SOURCE_TYPE, "softwareAgent": agent}
    actions = [{"action": "c2pa.created", **made}]
    if edited is not None:
        actions = [{"action": "c2pa.opened", "parameters": {"ingredientIds": [INGREDIENT]}},
                   {"action": "c2pa.edited", **made}]
    assertions = [{"label": "c2pa.actions.v2", "data": {"actions": actions}}, {"label": ASSERTION, "data": facts}]
    title = "Synthetic talking portrait" if edited is None else "Film with a synthetic mouth and voice"
    plain = [] if edited is None or _is_read(edited.film) else [_ingredient(edited)]
    return {"claim_generator_info": [agent], "title": title, "format": "video/mp4", "assertions": assertions,
            "ingredients": plain}


def _ingredient(edited: Edited) -> dict[str, Any]:
    return {"title": edited.film.name, "relationship": "parentOf", "instance_id": INGREDIENT, "label": INGREDIENT,
            "format": "video/mp4"}


def _is_read(film: Path) -> bool:
    """Whether C2PA can read a film (MP4 and its kin), and so hash it and take its own credentials along; any other is
    an ingredient by its name alone."""
    try:
        with c2pa.Context(c2pa.Settings.from_dict(SETTINGS)) as context, film.open("rb") as file:
            reader = c2pa.Reader.try_create("video/mp4", file, context=context)
    except c2pa.C2paError:
        return False
    if reader is not None:
        reader.close()
    return True


def inspect_media(path: Path) -> dict[str, Any]:
    """What a film says about itself: `media`, `tag` (None without one), `credentials` (None without them).

    `credentials`: `state` (Invalid: altered or forged; Valid: whole, by a signer nobody vouches for; Trusted), the
    `signer`, `generator`, the `facts` of `generation_facts`, the name of the film that was `edited` (None: none), and
    `problems`. Raises ValueError for no file or no media.
    """
    try:
        with open_media(Path(path)) as media:
            return {"media": _streams(media), "tag": _tag(media.metadata), "credentials": _credentials(Path(path))}
    except MediaError as error:
        raise ValueError(f"{path} cannot be read as a film: {error.detail}") from error


def print_media(path: Path) -> None:
    """Print `inspect_media`; what files say is printed as JSON text, so that it cannot steer a terminal."""
    found = inspect_media(path)
    print(f"{path}: {json.dumps(found['media'])}")
    tag, credentials = found["tag"], found["credentials"]
    print("metadata tag: " + ("none" if tag is None else json.dumps(tag, sort_keys=True)))
    if credentials is None:
        print("content credentials: none")
        return
    print(f"content credentials: {credentials['state']}, signed by {json.dumps(credentials['signer'])}, made with "
          f"{json.dumps(credentials['generator'])}")
    if credentials["edited"] is not None:
        print(f"  edited from: {json.dumps(credentials['edited'])}")
    print(f"  says: {json.dumps(credentials['facts'], sort_keys=True)}")
    for problem in credentials["problems"]:
        print(f"  note: {json.dumps(problem)}")


def _streams(media: av.container.InputContainer) -> dict[str, Any]:
    found: dict[str, Any] = {"duration_s": None if media.duration is None else media.duration / av.time_base}
    for stream in media.streams.video[:1]:
        found |= {"video": stream.codec_context.name, "width": stream.width, "height": stream.height,
                  "frames": stream.frames, "fps": None if stream.average_rate is None else float(stream.average_rate)}
    for sound in media.streams.audio[:1]:
        found |= {"sound": sound.codec_context.name, "sample_rate_hz": sound.codec_context.sample_rate}
    return found


def _tag(metadata: dict[str, str]) -> dict[str, Any] | None:
    """The tag that `metadata_tags` wrote."""
    try:
        facts = json.loads(metadata.get("comment", ""))
    except ValueError:
        return None
    return facts if isinstance(facts, dict) and facts.get("generator") == GENERATOR else None


def _credentials(path: Path) -> dict[str, Any] | None:
    try:
        with c2pa.Context(c2pa.Settings.from_dict(SETTINGS)) as context, path.open("rb") as file:
            reader = c2pa.Reader.try_create("video/mp4", file, context=context)
            if reader is None:
                return None
            with reader:
                return _describe(json.loads(reader.json()))
    except c2pa.C2paError as error:
        return {"state": "Invalid", "signer": None, "generator": None, "facts": None, "edited": None,
                "problems": [str(error)]}


def _describe(store: dict[str, Any]) -> dict[str, Any]:
    manifest = store["manifests"][store["active_manifest"]]
    facts = [one["data"] for one in manifest.get("assertions", []) if one["label"] == ASSERTION]
    parents = [one for one in manifest.get("ingredients", []) if one.get("relationship") == "parentOf"]
    signature, generator = manifest.get("signature_info", {}), (manifest.get("claim_generator_info") or [{}])[0]
    return {"state": store.get("validation_state", "Invalid"), "signer": signature.get("issuer"),
            "generator": f"{generator.get('name', '')} {generator.get('version', '')}".strip(),
            "facts": facts[0] if facts else None, "edited": parents[0].get("title") if parents else None,
            "problems": [f"{one['code']}: {one.get('explanation', '')}" for one in store.get("validation_status", [])]}
