"""What is laid over the tree: the editor, a question, the help."""
