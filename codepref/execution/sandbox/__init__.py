"""What runs inside the sandbox. This package imports only itself and a few modules of the standard library.

A worker is a fresh interpreter that sees this folder and the standard library alone: a fork takes longer the more its
parent has loaded. Folders, in the order in which they may import from each other (from the last to the first):

- wire: everything that crosses between processes: plain data, frames, the plan of a task, the status page, calls;
- confinement: system-call filters, resource limits, which code may share a process, preloaded packages;
- kinds: one file a kind of test, and one table;
- processes: the roles below.

Each role is a process of its own:

- supervisor: talks to the engine, enforces limits, handles tests and solutions as bytes only;
- solution zygote: forks the solutions' processes; never holds a test or a solution;
- runner zygote: one a task; compiles the tests, holds expected outputs, forks the test runners;
- test runner: runs the tests of a solution;
- solution: runs one solution. It exchanges plain data with the test runner through one socket.
"""
