"""How answers are decoded token by token, and where they end."""
