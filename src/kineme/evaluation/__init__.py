"""Protocols that measure an encoder, frozen or fine-tuned, and the results that they write."""
