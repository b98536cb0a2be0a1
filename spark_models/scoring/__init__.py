"""A package on Spark: placed on every host, loaded once a worker process, applied batch by batch."""
