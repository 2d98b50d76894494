"""A spec as texts that people read and type: the form of one, the syntax of its values, words completed."""
