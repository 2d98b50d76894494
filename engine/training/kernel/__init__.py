"""Trains the networks that most searches are made of in compiled NumPy-like code, by Keras' own update rules."""

from engine.training.kernel.trainer import KernelTrainer

__all__ = ["KernelTrainer"]
