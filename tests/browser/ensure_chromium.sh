#!/bin/sh
# Finds a Chromium for the browser tests, or installs Debian's where that is allowed.
set -eu
for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
  if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  echo "Installing chromium for the browser tests ..."
  apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends chromium >/dev/null && exit 0
fi
echo "The browser tests need Chromium: install it (Debian: sudo apt-get install chromium), or set CHROMIUM to its path." >&2
exit 1
