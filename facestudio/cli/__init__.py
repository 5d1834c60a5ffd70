"""The command line: arguments in, files and sentences out. A sibling of the window, which it knows nothing of."""
