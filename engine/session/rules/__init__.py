"""What each event changes in what is known of a search: a module for each kind of event, and its table `RULES`."""
