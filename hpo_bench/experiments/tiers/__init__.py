"""`hpo-bench tiers`: nano, pretrained and published landscapes side by side."""
