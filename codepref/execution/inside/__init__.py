"""What runs inside the sandbox: a package of its own that imports nothing of codepref and next to nothing else.

A worker is a fresh interpreter that sees only this folder and the standard library, because the time of a fork grows
with what its parent has loaded. Roles, each a process of its own:

- supervisor: speaks with the engine, watches limits, sees tests and solutions as bytes only;
- solution zygote: forks the judged children; has never held a test or a solution;
- judge zygote: one a task; compiles the tests, holds expected outputs, forks the judges;
- judge: runs the tests of one solution; solution: runs one solution. They meet in one socket, as plain data.
"""
