"""Searches of a script: scikit-learn's own, with their fits in foldwatch's workers and their scores in a session."""
