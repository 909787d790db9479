"""The local stack: Hubbub on MiniStack, an AWS emulator, with no account and no Docker.

It builds the functions, starts MiniStack, renders the Pulumi program that also deploys to AWS, applies it, and takes
everything down in the end. `scripts/up`, `scripts/demo` and `scripts/test` call it; `python -m local --help` has its
options.

- `cli` reads the arguments, `stack` runs the steps in their order;
- `build` makes the functions' zips, `ministack` runs the emulator, `guard` ends it and all its processes;
- `program` reads a rendered Pulumi program, `values` evaluates its expressions, `apply` creates its resources with the
  handlers in `resources`;
- `page` serves the page, `dashboard` reads the data of its dashboard;
- `recorder` notes what functions call, which `scripts/audit` compares with their policies.
"""
