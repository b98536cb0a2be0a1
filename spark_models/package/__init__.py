"""The package on disk: its layout, its metadata, and the files beside them."""
