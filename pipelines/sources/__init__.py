"""What there is to read, and how it becomes documents."""
