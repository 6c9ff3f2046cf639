"""Where the record is kept: one contract, two plain implementations."""
