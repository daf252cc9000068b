"""The built book in other shapes: one PDF, one EPUB."""
