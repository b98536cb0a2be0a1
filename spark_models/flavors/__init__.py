"""One module per library, of one shape: save_model, log_model, load_model, and the loader of its python_function."""
