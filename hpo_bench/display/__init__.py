"""How things are shown: tables, words, figures, marks, maps, progress, and printing what others wrote."""
