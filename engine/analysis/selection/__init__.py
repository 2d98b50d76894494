"""What may be believed of a search's best score, and which combinations are as good: from out-of-fold predictions."""
