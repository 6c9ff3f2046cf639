"""The review desk: server-rendered pages that work without JavaScript."""
