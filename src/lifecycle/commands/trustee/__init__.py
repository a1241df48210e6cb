"""Commands about trustees and their agreements."""
