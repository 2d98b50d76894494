"""Trains the networks of most searches in compiled NumPy-like code, by Keras' own update rules."""

from engine.training.kernel.trainer import KernelTrainer

__all__ = ["KernelTrainer"]
