"""Training on one fold: the networks, two trainers behind one interface, scoring and saving.

Only modules of this package import keras or tensorflow, and only when they must.
"""
