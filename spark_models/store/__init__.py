"""Where packages live: model URIs, the run directory, and the content-addressed cache of this host."""
