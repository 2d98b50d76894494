"""A script whose search is watched: `python -m tests.watched_script SESSIONS MARKS [GO]` prints its scores as JSON.

With GO, the fits of one candidate in the middle wait until there is a file of this name.
"""

from __future__ import annotations

import json
import sys

from sklearn.model_selection import ParameterSampler, RandomizedSearchCV

from engine import watch
from tests.script_estimators import Recorded, data

if __name__ == "__main__":
    sessions, marks, go = [*sys.argv[1:], ""][:3]
    X, y = data(200)
    distributions = {"factor": [number / 10 for number in range(-20, 20)]}
    middle = list(ParameterSampler(distributions, 20, random_state=1))[10]["factor"]
    estimator = Recorded(folder=marks, fault="wait" if go else "", faulty=middle, wait_for=go)
    search = RandomizedSearchCV(estimator, distributions, n_iter=20, cv=3, random_state=1)
    with watch("script", sessions=sessions, workers=2):
        search.fit(X, y)
    print(json.dumps([float(score) for score in search.cv_results_["mean_test_score"]]))
