#!/usr/bin/env bash
# Renders the pages of manybody/docs, and those that the code generates, to a static site.
# Every warning is an error, a link within the pages that leads nowhere among them.
#
# Cost:    the set-up of scripts/setup.sh on the first call, then half a minute.
# Launch:  bash scripts/docs.sh [FOLDER]
#              FOLDER   where the site goes (default build/docs); open FOLDER/html/index.html
set -euo pipefail

# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec "$venv_python" "$root/scripts/site/build.py" "${1:-$root/build/docs}"
