"""A local page on which a library of motion is seen, searched by example and labelled."""
