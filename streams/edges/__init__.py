"""The edges of a log on Kafka: signals in from a topic outside, what was decided out to topics for others."""
