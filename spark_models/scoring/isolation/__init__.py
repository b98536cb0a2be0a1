"""Scoring in a package's own environment: built once, sent to every host, run in one process beside each worker."""
