"""The command line: one file a verb; parses, calls one function, prints."""
