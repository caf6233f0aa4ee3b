"""The clerk: a process that answers what only the compiler knows, so that the server itself needs no torch."""
