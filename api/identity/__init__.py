"""Who is asking: API keys, their owners and scopes."""
