#!/bin/sh
# Installs the npm packages if they are missing or older than the lock file. Called by ./holdfast, ./demo and ./test.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
mark=$root/node_modules/.package-lock.json
# A link into another checkout (a git worktree): `npm ci` would empty that one's packages under whoever uses them.
if [ -L "$root/node_modules" ] && [ -f "$mark" ]; then exit 0; fi
if [ -f "$mark" ] && [ ! "$root/package-lock.json" -nt "$mark" ]; then exit 0; fi
if ! command -v npm >/dev/null; then
  echo "holdfast: npm is not here; install Node 20 or later with npm (Debian: apt-get install nodejs npm)" >&2
  exit 1
fi
# One at a time: npm ci begins by deleting node_modules.
exec 9<"$root"
flock 9
if [ -f "$mark" ] && [ ! "$root/package-lock.json" -nt "$mark" ]; then exit 0; fi
echo "holdfast: installing npm packages (npm ci)" >&2
cd "$root"
npm ci --no-audit --no-fund --loglevel=error </dev/null >&2
touch "$mark"
