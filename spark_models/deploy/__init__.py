"""Where a package goes: images with a server in them."""
