"""Talking to a chat model: an endpoint, a local model or a recorded conversation, and what its replies hold."""
