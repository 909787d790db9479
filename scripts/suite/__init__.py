"""`scripts/test`: every check of the repository as a named step.

- `steps` is the list of steps: what each proves and how it runs;
- `schedule` decides which steps run side by side;
- `run` runs one step's commands and keeps their output;
- `counts` reads from that output how many tests ran;
- `cli` reads the arguments and prints progress and the summary.
"""
