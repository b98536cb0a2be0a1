"""Where scored rows go: each format's writer, and what it promises when a run is killed or run again."""
