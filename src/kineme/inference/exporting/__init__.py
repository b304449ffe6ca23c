"""Models for use without PyTorch: an ONNX encoder and a short program."""
