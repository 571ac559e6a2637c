"""The tree of heddles and the engine that grows it. Imports no user interface, no session, no command line."""
