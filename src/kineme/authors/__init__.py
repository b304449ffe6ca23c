"""The published programs' checkpoint layouts, one file a system.

Each turns a state dict in its authors' layout into one of our methods, its sizes inferred from the tensors.
"""
