"""Ranks and processes that share work: collective calls, node memory, signals, claims, files."""
