"""A real Kafka broker of one node, without Docker: for the tests, and by `make kafka` for trying it out."""
