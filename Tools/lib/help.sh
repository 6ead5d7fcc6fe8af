# Sourced by the scripts in Tools: what they do, from the comment at their top.

# Prints it where the first argument asks for it, and ends.
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
  exit 0
fi
