# Sourced by Tools/install and Tools/package: the files of an installed Pentimento below a prefix.

# lay_out PREFIX PROGRAM [RUNNER...]: program, model, vocabulary, licence, completions, man page. PROGRAM is what is
# laid out; RUNNER runs it where this machine cannot.
lay_out() {
  local prefix=$1 program=$2 file
  shift 2
  runner=("$@")
  install -D -m 755 "$program" "$prefix/bin/pentimento"
  while IFS= read -r file; do
    install -D -m 644 "Weights/embedded/$file" "$prefix/share/pentimento/embedded/$file"
  done < <(cd Weights/embedded && find . -type f | LC_ALL=C sort)
  install -D -m 644 Weights/clip/merges.txt "$prefix/share/pentimento/clip/merges.txt"
  install -d -m 755 "$prefix"/share/{doc/pentimento,man/man1,bash-completion/completions,zsh/site-functions} \
    "$prefix/share/fish/vendor_completions.d"
  copyright >"$prefix/share/doc/pentimento/copyright"
  words "$prefix" completions bash >"$prefix/share/bash-completion/completions/pentimento"
  words "$prefix" completions zsh >"$prefix/share/zsh/site-functions/_pentimento"
  words "$prefix" completions fish >"$prefix/share/fish/vendor_completions.d/pentimento.fish"
  words "$prefix" man | gzip -9n >"$prefix/share/man/man1/pentimento.1.gz"
  chmod 644 "$prefix"/share/{doc/pentimento/copyright,man/man1/pentimento.1.gz,zsh/site-functions/_pentimento} \
    "$prefix/share/bash-completion/completions/pentimento" "$prefix/share/fish/vendor_completions.d/pentimento.fish"
}

# words PREFIX COMMAND...: what the program laid out there prints.
words() { ${runner[@]+"${runner[@]}"} "$1/bin/pentimento" "${@:2}"; }

# Who owns what is installed, in the form that Debian wants.
copyright() {
  cat <<'TEXT'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Pentimento

Files: *
Copyright: The authors of Pentimento
License: Apache-2.0
Comment: The program has the libraries of Swift and swift-argument-parser in it, of Apple Inc. and the Swift project
 authors, under the Apache License, Version 2.0, with the Swift Runtime Library Exception, which asks for no
 attribution of what is embedded into a program.

Files: Weights/clip/merges.txt
TEXT
  awk '
    NR == 1 { sub(/^Copyright \(c\) /, "") }
    /^$/ && !body { body = 1; print "License: MIT"; next }
    !body { print (NR == 1 ? "Copyright: " : " ") $0; next }
    { print $0 == "" ? " ." : " " $0 }' Weights/clip/LICENSE
  cat <<'TEXT'

License: Apache-2.0
 Licensed under the Apache License, Version 2.0. On Debian systems its text is in
 /usr/share/common-licenses/Apache-2.0; elsewhere at https://www.apache.org/licenses/LICENSE-2.0.
TEXT
}
