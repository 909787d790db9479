# shellcheck shell=bash
# What the scripts share. It is sourced, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Makes .venv with what the local stack needs, if it is missing or its requirements have changed.
prepare_python() {
    local venv=$root/.venv requirements=$root/scripts/local/requirements.txt
    if [[ -x $venv/bin/python ]] && cmp -s "$requirements" "$venv/requirements.txt"; then
        return
    fi
    if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        echo "error: Python 3.10 or newer is needed as \`python3\`" >&2
        return 1
    fi
    echo "installing the local stack's requirements into .venv ..." >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
    # Copied last: an installation that was broken off is done again.
    cp "$requirements" "$venv/requirements.txt"
}

# Runs the local stack's tool in place of the script, so that signals reach it. `local_stack --help` says what it takes.
local_stack() {
    prepare_python
    PYTHONPATH=$root/scripts exec "$root/.venv/bin/python" -m local "$@"
}

# Prints the comment at the head of a script.
usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1"
}

# Where cargo builds.
target_folder() {
    echo "${CARGO_TARGET_DIR:-$root/target}"
}

# Runs the operator's command line in place of the script.
operator() {
    # The whole workspace, as the local stack builds it: a smaller choice would compile the AWS SDK a second time.
    cargo build --quiet --locked --manifest-path "$root/Cargo.toml" --workspace --all-targets
    export HUBBUB_OUTPUTS=${HUBBUB_OUTPUTS:-$root/target/local/outputs.json}
    exec "$(target_folder)/debug/hubbub" "$@"
}
