"""Checks Hubbub's promises about permissions and secrets.

`policies` reads the policies of the rendered program. `privileges` and `logs` read the files that an end-to-end run on the
local stack has written: each function's calls, and its log. Each prints its findings, and nothing if there are none.
"""
