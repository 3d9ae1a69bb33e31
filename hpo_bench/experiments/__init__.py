"""What makes the pages under docs/; nothing imports it but the command line."""
