"""The program of an exported model, as templates; `kineme.inference.program` fills them in."""
