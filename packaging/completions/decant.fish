# Completion of decant for fish. The program itself says what may follow: commands, options, hosts of decant.yml, deployments of this machine.
function __decant_offers
    set -l line (commandline --cut-at-cursor --current-process | string collect)
    set -l word (commandline --cut-at-cursor --current-token)
    # Options are offered where one was begun; elsewhere a file's name may be meant.
    set -l offered (decant "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null)
    string match --quiet -- '-*' "$word"; or set offered (string match --invert --regex -- '^[-/]' $offered)
    set offered (string match -- "$word*" $offered)
    if test (count $offered) -gt 0
        printf '%s\n' $offered
    else
        __fish_complete_path "$word"
    end
end
complete --command decant --no-files --arguments '(__decant_offers)'
