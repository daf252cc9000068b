"""The script with which a shell completes the command `lsmtl`."""

SHELLS = ("bash", "zsh", "fish", "tcsh")

BASH = """
# Bash takes NAME=VALUE for three words, so this one looks at them.
_lsmtl() {
  _shtab_lsmtl
  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"
  local name="" values="" pair
  if [[ $word == "=" ]]; then name=$before word=""
  elif [[ $before == "=" ]]; then name=${COMP_WORDS[COMP_CWORD-2]}
  elif [[ $before != "-p" ]]; then return
  fi
  for pair in "${_shtab_lsmtl_run__p_choices[@]}"; do
    if [[ -z $name ]]; then values+=" ${pair%%=*}="
    elif [[ $pair == "$name="* ]]; then values+=" ${pair#*=}"
    fi
  done
  COMPREPLY=($(compgen -W "$values" -- "$word"))
  [[ -n $name ]] || compopt -o nospace 2>/dev/null || :
}

complete -o bashdefault -F _lsmtl lsmtl
"""


def script(parser, shell):
    """A shell's script, as text.

    Args:
        parser: the command's `ArgumentParser`, its arguments with `choices`.
        shell: one of `SHELLS`.
    """
    import shtab

    return shtab.complete(parser, shell) + BASH * (shell == "bash")
