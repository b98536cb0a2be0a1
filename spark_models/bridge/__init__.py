"""Between the format's column types and those of numpy, pandas, Arrow and Spark: one table each, and its inverse."""
