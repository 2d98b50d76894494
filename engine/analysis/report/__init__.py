"""A report on a whole search: the same contents as text, as JSON values and as one page that opens offline."""
