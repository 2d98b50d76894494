"""From combinations and folds to trainings, and what they cost."""
