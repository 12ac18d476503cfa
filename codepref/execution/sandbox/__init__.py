"""The code that runs inside the sandbox.

A worker is a new interpreter that loads only this package, parts of the standard library and the packages that
solutions and tests ask for. It loads little, since a fork takes longer when its parent has loaded more. This package
therefore imports nothing else of codepref. In this package, only the launcher, which confines the worker, imports the
package sandlock.

The package has four folders. Each one imports only from itself and from folders above it in this list:

- wire: everything that crosses between processes: plain data, frames, the plan of a task, the status page, calls;
- confinement: system-call filters, resource limits, the check whether code may share a process, preloaded packages;
- kinds: one file for each kind of test, one table of them, and what they share;
- processes: the processes of a worker.

The processes of a worker have these roles:

- supervisor: talks to the engine and enforces limits. It handles tests and solutions as bytes and texts only;
- nursery: forks zygotes. One nursery forks zygotes of solutions, and the others fork runner zygotes;
- solution zygote: forks the solutions' processes. It never holds a test or a solution;
- runner zygote: prepares the tests of one task, holds expected outputs and forks the test runners;
- test runner: runs the tests of one solution, or of several in turn;
- solution: runs one solution, or several in turn that can leave nothing behind. It exchanges plain data and handles
  with the test runner through one socket.
"""
