"""One page for all reports: its template, style and script, and how figures and tables get into it."""
