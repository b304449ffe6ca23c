"""The program of an exported model, as templates; `kineme.inference.exporting.program` fills them in."""
