"""HTTP: the API, the review desk and the public pages, over one service."""
