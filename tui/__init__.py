"""The Textual app: draws what the engine records, and asks it; never trains, never reads a data set."""
