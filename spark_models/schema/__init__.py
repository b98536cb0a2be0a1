"""What goes into a model and what comes out: data types, columns, tensors, schemas and signatures."""
