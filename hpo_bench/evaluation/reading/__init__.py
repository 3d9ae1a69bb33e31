"""Examples as people have them: any file or folder of them, any names of columns, verified row by row."""
