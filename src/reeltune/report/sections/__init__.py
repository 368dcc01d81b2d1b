"""The sections of the report as HTML strings, empty where there is nothing to say."""
