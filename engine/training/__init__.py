"""Training on one fold: the networks, two trainers behind one interface, scoring, saving.

Only modules of this package import keras or tensorflow, and only when they must.
"""
