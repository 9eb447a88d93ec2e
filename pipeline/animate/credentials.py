"""Who signs generated films: a certificate of the user's own, or one made here, kept beside the weights.

C2PA refuses a certificate that signs itself, so the one made here is a small chain: a root and, signed by it, the
signer. Nobody else trusts that root: the signature proves that a file was not altered since, not who made it.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pipeline.core import paths
from pipeline.core.atomic import atomic_path

ORGANISATION = "Playmate, local and self-signed"
YEARS = 10
FILE = "self_signed.pem"
ALGORITHM_OF_CURVE = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


class CredentialsError(ValueError):
    """Certificate or key cannot be used; the message says which and why."""


@dataclass(frozen=True)
class Credentials:
    """A certificate chain (signer first) and its key, in PEM; `algorithm` as C2PA names it."""

    chain: bytes
    key: bytes
    algorithm: str


def own_credentials(certificate: Path, key: Path) -> Credentials:
    """Credentials from PEM files; raises CredentialsError where they cannot be read or do not belong together."""
    try:
        chain, secret = Path(certificate).read_bytes(), Path(key).read_bytes()
    except OSError as error:
        raise CredentialsError(f"{error.filename} cannot be read: {error.strerror}") from error
    return _check(chain, secret, f"{certificate} and {key}")


def folder() -> Path:
    """Where the self-signed credentials of this user are kept."""
    return paths.weights_cache().parent / "credentials"


@lru_cache(maxsize=1)
def local_credentials() -> Credentials:
    """The self-signed credentials of this user, made on first use; raises CredentialsError."""
    path = folder() / FILE
    try:
        if not path.is_file():
            _keep(path, *_make())
        chain, _, key = path.read_bytes().rpartition(b"-----BEGIN PRIVATE KEY-----")
    except OSError as error:
        raise CredentialsError(f"{path} for content credentials cannot be read or written ({error.strerror}): set "
                               "PLAYMATE_CACHE to a folder of yours, or give your own certificate") from error
    return _check(chain, b"-----BEGIN PRIVATE KEY-----" + key, str(path))


def _keep(path: Path, chain: bytes, key: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with atomic_path(path) as temporary:
        temporary.touch(mode=0o600)
        temporary.write_bytes(chain + key)


def _check(chain: bytes, key: bytes, name: str) -> Credentials:
    try:
        signer = x509.load_pem_x509_certificates(chain)[0]
        secret = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError, IndexError, UnsupportedAlgorithm) as error:
        raise CredentialsError(f"{name}: a PEM certificate chain and its PEM private key without a password are "
                               f"needed ({error})") from error
    if signer.public_key() != secret.public_key():
        raise CredentialsError(f"{name} do not belong together: the key is not that of the first certificate")
    if signer.not_valid_after_utc < datetime.datetime.now(datetime.UTC):
        raise CredentialsError(f"{name}: the certificate expired on {signer.not_valid_after_utc:%Y-%m-%d}")
    return Credentials(chain, key, _algorithm(secret, name))


def _algorithm(key, name: str) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in ALGORITHM_OF_CURVE:
        return ALGORITHM_OF_CURVE[key.curve.name]
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    raise CredentialsError(f"{name}: C2PA takes keys of P-256, P-384, P-521, Ed25519 or RSA")


def _make() -> tuple[bytes, bytes]:
    """A new chain and the signer's key, in PEM."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("root", root_key, "root", root_key, authority=True)
    signer = _certificate("signer", key, "root", root_key, authority=False)
    chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (signer, root))
    return chain, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption())


def _certificate(name: str, key, issuer: str, issuer_key, authority: bool) -> x509.Certificate:
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    usage = x509.KeyUsage(digital_signature=not authority, content_commitment=False, key_encipherment=False,
                          data_encipherment=False, key_agreement=False, key_cert_sign=authority, crl_sign=authority,
                          encipher_only=False, decipher_only=False)
    builder = (x509.CertificateBuilder().subject_name(_name(name)).issuer_name(_name(issuer))
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(start).not_valid_after(start + datetime.timedelta(days=365 * YEARS))
               .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
               .add_extension(usage, critical=True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
                              critical=False))
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
                      x509.NameAttribute(NameOID.COMMON_NAME, common)])
