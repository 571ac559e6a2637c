"""The screen that a person weaves on, what takes its place, such as the map, and what is laid over it: dialogs."""
