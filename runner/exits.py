"""How commands end: the codes that scripts may rely on."""

OK = 0
FAILED = 1
USAGE = 2
INVALID = 3
WEIGHTS = 4
MEMORY = 5
HUNG_UP = 129
INTERRUPTED = 130
