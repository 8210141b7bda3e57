# Completion of asynctask for fish.
function __asynctask_completion
    set -l words (commandline -opc)
    set -l current (commandline -ct | string replace -r '^[\'"]' '')
    set -l program $words[1]
    type -q -- "$program"; or set program asynctask
    for line in ($program completion --answer fish $words[2..-1] "$current" 2>/dev/null)
        set -l parts (string split -m 2 \t -- $line)
        switch $parts[1]
            case file
                __fish_complete_path $current
            case dir
                __fish_complete_directories $current
            case command
                complete -C "$current" | string match -v -- '-*'
            case '*'
                test -n "$parts[3]"; and printf '%s\t%s\n' $parts[2] $parts[3]; or echo $parts[2]
        end
    end
end
complete -c asynctask -e
complete -c asynctask -f -a '(__asynctask_completion)'
