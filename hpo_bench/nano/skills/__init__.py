"""What nano experts are experts in, one domain a file, and the general skill that every VLM has."""
