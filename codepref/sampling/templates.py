"""The default words in which a model is asked for a solution and for tests. Recipes may set their own."""

SOLUTION_TEMPLATE = (
    "Solve the following programming problem in Python. Answer with one code block that holds the whole program; "
    "it must define `{entry_point}`.\n\n{prompt}"
)

TEST_TEMPLATE = (
    "Write tests for the following Python programming problem. Do not solve it. Answer with one code block of "
    "assert statements, one a line, each of which calls `{entry_point}` with literal arguments and compares the "
    "result with the value that a right solution returns.\n\n{prompt}"
)
