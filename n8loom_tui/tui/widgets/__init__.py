"""The widgets that show a loom. They show the tree and its text; they never change it and never touch a
model."""
