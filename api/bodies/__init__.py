"""What a request may say: strict pydantic models, parsed from the bytes and never through a float."""
