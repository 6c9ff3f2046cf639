"""Pages for everybody: what this place is, the rules in force, the API."""
