#!/usr/bin/env bash
# logic_test.sh WEB: the types of the page hold, and its logic does what its tests say.
set -euo pipefail
cd "${1:?the folder web}"
node scripts/install.mjs
npx --no-install tsc --noEmit
npx --no-install vitest run
