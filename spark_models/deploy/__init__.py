"""Where a package goes: images with a server in them, and the targets that keep one running."""
