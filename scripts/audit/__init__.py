"""Holds Hubbub to what it promises of permissions and secrets.

`policies` looks at the policies of the rendered program. `privileges` and `logs` look at what an end-to-end run on the
local stack has left behind in the stack's folder: what each function has called, and what it has logged. Each says what
is wrong, and nothing if nothing is.
"""
