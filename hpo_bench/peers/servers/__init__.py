"""What runs in the environments of peers that live apart; imports nothing of ours."""
