"""Where rows come from: files that are read safely, and downloads."""
