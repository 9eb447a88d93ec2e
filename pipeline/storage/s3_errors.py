"""What S3 and the network to it answer when something is wrong, as the errors of our storage, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.storage.base import ObjectDamaged, ObjectMissing

CONFLICT, PRECONDITION_FAILED, NOT_FOUND = 409, 412, 404
SKEWED = {"RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException"}
DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "403",
          "Forbidden", "AllAccessDisabled"}


class S3Unavailable(OSError):
    """The server did not do its part, after all tries: nothing is wrong with what was stored or read."""


class BrokenBody(S3Unavailable):
    """The connection broke inside an object's bytes."""


class Refused(S3Unavailable):
    """A conditional put met an object (412) or another writer (409)."""

    def __init__(self, name: str, status: int):
        super().__init__(f"{name}: another writer was there first (HTTP {status})")
        self.status = status


@contextmanager
def explain_errors(bucket: str, key: str, name: str) -> Iterator[None]:
    """Run requests about `key` of `bucket`, which people know as `name`.

    Raises ObjectMissing, ObjectDamaged, Refused, BrokenBody, S3Unavailable; PermissionError and FileNotFoundError where
    trying again cannot mend it.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError, NoCredentialsError

    try:
        yield
    except FlexibleChecksumError as error:  # the server's own checksum, looked at by botocore
        raise ObjectDamaged(f"{name}: {error}") from error
    except NoCredentialsError as error:
        raise PermissionError("no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                              "AWS_PROFILE") from error
    except ClientError as error:
        raise _in_words(bucket, key, name, error) from error
    except (BotoCoreError, Boto3Error) as error:
        if isinstance(error.__context__, ClientError):  # boto3's file transfer wraps the answer
            raise _in_words(bucket, key, name, error.__context__) from error
        kind = BrokenBody if isinstance(error, _broken_bodies()) else S3Unavailable
        raise kind(f"{name}: {error}") from error


def _in_words(bucket: str, key: str, name: str, error) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status in (CONFLICT, PRECONDITION_FAILED):
        return Refused(name, status)
    if code == "NoSuchBucket":
        return FileNotFoundError(f"there is no bucket s3://{bucket}: create it, or change feature_store.root")
    if status == NOT_FOUND:
        return ObjectMissing(key)
    if code in SKEWED:
        return PermissionError(f"s3://{bucket} refuses this machine's clock ({code}): set it right")
    if code in DENIED:
        return PermissionError(f"{name}: {code}: these credentials may not do that; check keys, policy and "
                               "AWS_ENDPOINT_URL")
    return S3Unavailable(f"{name}: {error}")


def _broken_bodies() -> tuple[type[Exception], ...]:
    from boto3.exceptions import RetriesExceededError
    from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

    return (IncompleteReadError, ReadTimeoutError, ResponseStreamingError, RetriesExceededError)
