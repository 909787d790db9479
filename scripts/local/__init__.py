"""The local stack: Hubbub on MiniStack, an AWS emulator, with no account and no Docker.

It builds the functions, starts MiniStack, renders the same Pulumi program that deploys to AWS, applies it, and takes
everything down again. `python -m local --help` says how it is called, and `scripts/up`, `scripts/demo` and
`scripts/test` call it.

Who does what:

- `cli` reads the arguments, `stack` knows the steps and their order;
- `build` makes the functions' zips, `ministack` runs the emulator, `guard` sees to it that nothing survives;
- `program` reads a rendered Pulumi program, `values` evaluates what is written in it, `apply` creates its resources
  with the handlers in `resources`.
"""
