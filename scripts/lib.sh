# shellcheck shell=bash
# Functions that the scripts share. This file is sourced, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Makes a virtual environment from a file of requirements, if it is missing or the file has changed.
#
# Usage: make_venv FOLDER REQUIREMENTS PURPOSE
make_venv() {
    local venv=$1 requirements=$2 purpose=$3
    if [[ -x $venv/bin/python ]] && cmp -s "$requirements" "$venv/requirements.txt"; then
        return
    fi
    if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        echo "error: \`python3\` must be Python 3.10 or newer" >&2
        return 1
    fi
    echo "installing the $purpose's requirements ..." >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2
    # Copied last, so that an interrupted installation is done again.
    cp "$requirements" "$venv/requirements.txt"
}

# Makes .venv, in which the local stack runs.
prepare_python() {
    make_venv "$root/.venv" "$root/scripts/local/requirements.txt" "local stack"
}

# Installs an npm package's dependencies, if its lock file has changed.
#
# Usage: npm_install FOLDER
npm_install() {
    if ! cmp -s "$1/package-lock.json" "$1/node_modules/installed.json"; then
        npm ci --prefix "$1" --silent --no-audit --no-fund --ignore-scripts
        # Copied last, so that an interrupted installation is done again.
        cp "$1/package-lock.json" "$1/node_modules/installed.json"
    fi
}

# Finds Chromium, or installs Debian's where that is possible, and its driver. Fails where there is none.
prepare_browser() {
    export HUBBUB_CHROMIUM=${HUBBUB_CHROMIUM:-$(command -v chromium || true)}
    if [[ -z $HUBBUB_CHROMIUM ]] && ((EUID == 0)) && command -v apt-get >/dev/null; then
        echo "installing Chromium ..." >&2
        apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null && HUBBUB_CHROMIUM=$(command -v chromium)
    fi
    if [[ -z $HUBBUB_CHROMIUM ]]; then
        echo "there is no Chromium: install the package \`chromium\`, or set HUBBUB_CHROMIUM to the path of one" >&2
        return 1
    fi
    npm_install "$root/tests/browser"
}

# Runs the local stack's tool in place of the script, so that signals reach it.
local_stack() {
    prepare_python
    PYTHONPATH=$root/scripts exec "$root/.venv/bin/python" -m local "$@"
}

# Refuses an option whose value is not a number, before anything is built or started.
number() {
    if [[ ! ${2-} =~ ^[0-9]+$ ]]; then
        echo "error: $1 takes a whole number, not \`${2-}\`" >&2
        exit 2
    fi
}

# Refuses an unknown option, and prints the usage.
#
# Usage: unknown SCRIPT OPTION
unknown() {
    echo "error: the option \`$2\` is unknown" >&2
    usage "$1" >&2
    exit 2
}

# Prints the comment at the head of a script.
usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1"
}

# Prints the folder that cargo builds in.
target_folder() {
    echo "${CARGO_TARGET_DIR:-$root/target}"
}

# Builds binaries, quickly where nothing has changed. Their dependencies get the features of the whole workspace, so that
# no other build compiles them again (docs/adr/0010). Cargo's progress goes to standard error.
#
# Usage: build BINARY...
build() {
    cargo build --locked --manifest-path "$root/Cargo.toml" --workspace "${@/#/--bin=}" --example unify
}

# Runs the operator's command line in place of the script.
operator() {
    build hubbub
    # The stack is found from any folder.
    if [[ -z ${HUBBUB_OUTPUTS-} && -e $root/target/local/outputs.json ]]; then
        export HUBBUB_OUTPUTS=$root/target/local/outputs.json
    fi
    export HUBBUB_PROGRAM=${HUBBUB_PROGRAM:-$root/pulumi}
    exec "$(target_folder)/debug/hubbub" "$@"
}
