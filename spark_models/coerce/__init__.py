"""From a model's output to one Arrow column of the declared type."""
