#!/bin/sh
# Runs a script with a usable Python: sh find_python.sh "<the interpreter asked for, or nothing>" script.py [arguments]
asked=$1
shift

supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
complete='import ensurepip, fcntl, ssl, venv'

incomplete=
for candidate in ${asked:-python3.13 python3.12 python3.11 python3}; do
    # Version managers put commands on PATH that only say "not installed", so each candidate is run, not just found.
    "$candidate" -c "$supported" >/dev/null 2>&1 || continue
    if "$candidate" -c "$complete" >/dev/null 2>&1; then
        exec "$candidate" "$@"
    fi
    incomplete=${incomplete:-$candidate}
done

if [ -n "$incomplete" ]; then
    missing=$("$incomplete" -c "$complete" 2>&1 | tail -n 1)
    echo "Python is there ($incomplete) but cannot make environments: $missing." >&2
    echo "On Debian or Ubuntu: sudo apt-get install python3-venv; elsewhere reinstall Python with ensurepip and ssl." >&2
elif [ -n "$asked" ]; then
    echo "PYTHON=$asked is not a Python 3.11, 3.12 or 3.13 that runs. Name another or leave PYTHON out." >&2
else
    echo "No Python 3.11, 3.12 or 3.13 was found. Install one (Debian or Ubuntu: sudo apt-get install python3 python3-venv;" >&2
    echo "macOS: brew install python@3.13) or name yours: make run PYTHON=/path/to/python3.12" >&2
fi
exit 1
