"""Which of GP-BO's choices matter, one change at a time, on functions that are not the shipped landscapes."""
