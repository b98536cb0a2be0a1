"""From the rows at hand to the model's own input: names, order, lossless casts, nulls, shapes."""
