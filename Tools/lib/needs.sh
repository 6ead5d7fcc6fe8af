# Sourced by the scripts in Tools: sees to it that the package can be built, or says what is missing.

source "$(dirname "${BASH_SOURCE[0]}")/help.sh"

# The folder of the package, whatever the caller's folder is.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if ! command -v swift >/dev/null; then
  echo "Swift 6.0 or later is missing: 'apt-get install swiftlang' on Debian 13, or the archive from swift.org" >&2
  exit 69
fi

missing=()
command -v git >/dev/null || missing+=(git)  # fetches swift-argument-parser
command -v pkg-config >/dev/null || missing+=(pkg-config)
pkg-config --exists libpng 2>/dev/null || missing+=(libpng-dev)
if [ "${#missing[@]}" -gt 0 ]; then
  hint="missing: ${missing[*]} (Debian: sudo apt-get install ${missing[*]})"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}" >&2
    apt-get update -qq >&2 || true  # the lists that are there may do
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "${missing[@]}" >&2 || { echo "$hint" >&2; exit 69; }
  else
    echo "$hint" >&2
    exit 69
  fi
fi

# Reads JPEG; looked for at run time, so only such pictures and their tests miss it.
if ! compgen -G '/usr/lib*/libturbojpeg.so.0' >/dev/null && ! compgen -G '/usr/lib/*/libturbojpeg.so.0' >/dev/null &&
  ! compgen -G '/usr/local/lib*/libturbojpeg.so.0' >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing libturbojpeg0" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y libturbojpeg0; } >&2 ||
      echo "JPEG cannot be read: libturbojpeg0 is missing" >&2
  else
    echo "JPEG cannot be read: libturbojpeg0 is missing (Debian: sudo apt-get install libturbojpeg0)" >&2
  fi
fi
