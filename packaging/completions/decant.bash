# Completion of decant for bash. The program itself says what may follow: commands, options, hosts of decant.yml, deployments of this machine.
_decant() {
  local line=${COMP_LINE:0:COMP_POINT} word=${COMP_WORDS[COMP_CWORD]} offered
  COMPREPLY=()
  while IFS= read -r offered; do
    # Options are offered where one was begun; elsewhere a file's name may be meant.
    [[ $offered == "$word"* && ($offered != [-/]* || $word == -*) ]] && COMPREPLY+=("$offered")
  done < <(decant "[suggest:${#line}]" "$line" 2>/dev/null)
}
complete -o default -F _decant decant
