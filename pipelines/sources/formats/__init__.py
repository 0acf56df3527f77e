"""Source formats, a file a format."""
