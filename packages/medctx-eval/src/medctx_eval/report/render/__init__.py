"""A Report as HTML, Markdown, tables and figures."""
