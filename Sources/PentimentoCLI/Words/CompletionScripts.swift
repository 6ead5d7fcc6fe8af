import ArgumentParser

/// A shell that completes words. Its script asks the program itself (`__complete`), so that words and meanings are those of the
/// program that is installed, whatever its version; files are the shell's to find.
enum Shell: String, ExpressibleByArgument, CaseIterable {
  case bash, zsh, fish

  var script: String {
    switch self {
    case .bash: bashScript
    case .zsh: zshScript
    case .fish: fishScript
    }
  }
}

private let bashScript = #"""
  # Completion of pentimento for bash 4 and later. For one shell: eval "$(pentimento completions bash)"; for all:
  # pentimento completions bash > ~/.local/share/bash-completion/completions/pentimento
  _pentimento() {
    local cur=${COMP_WORDS[COMP_CWORD]} word joins= answer line file ending i
    local -a words=()
    # bash takes --option=value and text:7 apart.
    for ((i = 1; i <= COMP_CWORD; i++)); do
      word=${COMP_WORDS[i]}
      if [[ $word == [=:] && ${#words[@]} -gt 0 ]]; then
        words[-1]+=$word
        joins=1
      elif [[ -n $joins ]]; then
        words[-1]+=$word
        joins=
      else
        words+=("$word")
      fi
    done
    [[ $cur == [=:] ]] && cur=
    local prefix=${words[-1]%"$cur"}
    COMPREPLY=()
    answer=$("${COMP_WORDS[0]/#\~/$HOME}" __complete -- "${words[@]}" 2>/dev/null) || return 0
    case $answer in
      :files*)
        local endings=" ${answer#:files} "
        compopt -o filenames 2>/dev/null
        while IFS= read -r file; do
          ending=${file##*.}
          if [[ -z ${endings// } || -d ${file/#\~/$HOME} || $endings == *" ${ending,,} "* ]]; then
            COMPREPLY+=("$file")
          fi
        done < <(compgen -f -- "$cur")
        ;;
      :folders)
        compopt -o filenames 2>/dev/null
        while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -d -- "$cur")
        ;;
      *)
        while IFS= read -r line; do
          line=${line%%$'\t'*}
          [[ -n $line ]] && COMPREPLY+=("${line#"$prefix"}")
        done <<<"$answer"
        ;;
    esac
  }
  complete -o bashdefault -F _pentimento pentimento
  """#

private let zshScript = #"""
  #compdef pentimento
  # Completion of pentimento for zsh. Put it into a folder of $fpath as _pentimento:
  # pentimento completions zsh > ~/.zsh/completions/_pentimento
  _pentimento() {
    local -a answer endings shown
    local line
    answer=("${(@f)$("${(Q)words[1]}" __complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    case ${answer[1]} in
      (:files*)
        compset -P '--*='
        endings=(${=${answer[1]#:files}})
        if (( $#endings )); then
          _files -g "(#i)*.(${(j:|:)endings})"
        else
          _files
        fi
        ;;
      (:folders)
        compset -P '--*='
        _files -/
        ;;
      (*)
        for line in $answer; do
          [[ -n $line ]] && shown+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        done
        (( $#shown )) && _describe -V 'pentimento' shown
        ;;
    esac
  }
  if [[ ${funcstack[1]} == _pentimento ]]; then
    _pentimento "$@"
  else
    compdef _pentimento pentimento
  fi
  """#

private let fishScript = #"""
  # Completion of pentimento for fish:
  # pentimento completions fish > ~/.config/fish/completions/pentimento.fish
  function __pentimento_complete
      set -l given (commandline -opc)
      set -l current (commandline -ct)
      set -l program $given[1]
      set -e given[1]
      set -l answer ($program __complete -- $given "$current" 2>/dev/null)
      # Of --option=value the value alone is a file.
      set -l prefix (string match -r -- '^--[^=]*=' "$current")
      set -l start (string replace -r -- '^--[^=]*=' '' "$current")
      switch "$answer[1]"
          case ':files*'
              set -l endings (string split -n ' ' -- (string replace -- ':files' '' "$answer[1]"))
              for line in (__fish_complete_path "$start")
                  set -l file (string split -m1 \t -- $line)[1]
                  set -l ending (string lower -- (string replace -r -- '.*\.' '' $file))
                  if test (count $endings) -eq 0; or string match -q -- '*/' $file; or contains -- $ending $endings
                      echo "$prefix$file"
                  end
              end
          case ':folders'
              for line in (__fish_complete_directories "$start" '')
                  echo "$prefix"(string split -m1 \t -- $line)[1]
              end
          case '*'
              printf '%s\n' $answer
      end
  end
  complete -c pentimento -f -k -a '(__pentimento_complete)'
  """#
