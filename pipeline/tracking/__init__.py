"""Runs in MLflow: parameters, metrics and artifacts, kept here while its server is away."""

from pipeline.tracking.client import TrackingUnavailable
from pipeline.tracking.runs import run, sync

__all__ = ["TrackingUnavailable", "run", "sync"]
