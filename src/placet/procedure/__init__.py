"""One file per state machine. Each: its State, its commands, its entries, decide() and evolve(); all pure."""
