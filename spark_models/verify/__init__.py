"""The same answer everywhere, checked: the stored example replayed, and the answers compared row by row."""
