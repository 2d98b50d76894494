"""A script whose search is watched: `python -m tests.watched_script SESSIONS MARKS` prints its scores as JSON."""

from __future__ import annotations

import json
import sys

from sklearn.model_selection import RandomizedSearchCV

from engine import watch
from tests.script_estimators import Recorded, data

if __name__ == "__main__":
    X, y = data(200)
    distributions = {"factor": [number / 10 for number in range(-20, 20)]}
    search = RandomizedSearchCV(Recorded(folder=sys.argv[2]), distributions, n_iter=20, cv=3, random_state=1)
    with watch("script", sessions=sys.argv[1], workers=2):
        search.fit(X, y)
    print(json.dumps([float(score) for score in search.cv_results_["mean_test_score"]]))
