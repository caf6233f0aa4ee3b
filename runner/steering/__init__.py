"""Steering a run that was stopped, and forking any: `steer`, `steerable`, `fork`."""

from t2iflow.runner.steering.forking import Fork, fork, length
from t2iflow.runner.steering.steering import check, steer, steerable

__all__ = ["Fork", "check", "fork", "length", "steer", "steerable"]
