"""The tree of heddles and the engine that grows it. Imports no user interface, session or command line."""
