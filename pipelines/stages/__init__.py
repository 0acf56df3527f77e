"""What is done: a file a stage."""
