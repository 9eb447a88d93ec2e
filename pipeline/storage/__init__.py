"""Where finished work is kept, here or on S3, and who may write to it."""

from pipeline.storage.base import ObjectDamaged, ObjectMissing, Storage
from pipeline.storage.lease import held
from pipeline.storage.lock import exclusive
from pipeline.storage.open import open_storage

__all__ = ["ObjectDamaged", "ObjectMissing", "Storage", "exclusive", "held", "open_storage"]
