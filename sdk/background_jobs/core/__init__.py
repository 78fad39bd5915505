"""The pure core: events, the fold, ids and plans; no I/O, no clock, no randomness, no logging."""
