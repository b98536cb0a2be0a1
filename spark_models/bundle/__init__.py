"""Bundle.ML written from Python: Spark ML pipelines for MLeap's runtime in a JVM without Spark."""
