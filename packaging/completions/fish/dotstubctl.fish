# fish completion for dotstubctl(8)

set -l commands status stats flush cache explain trace config log queries reload drain upgrade system doctor check
complete -c dotstubctl -f
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a status -d 'how the daemon, its upstreams and its cache are'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a stats -d 'all counters, or a line each second'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a flush -d 'forget everything, a name, or all names below one'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a cache -d 'what the cache keeps for a name'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a explain -d 'where the time of slow and failed questions went'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a trace -d 'ask now and show each step'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a config -d 'the settings in force and where each came from'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a log -d 'set the level of the log, or of one module'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a queries -d 'log every question that is answered, or one in N'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a reload -d 'read the configuration again'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a drain -d 'fail health checks for a while, then stop'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a upgrade -d 'put a new process in the place of the daemon'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a system -d 'make the programs of this machine ask dotstub, or undo that'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a doctor -d 'what is wrong with DNS on this machine'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a check -d 'look for mistakes in a configuration'

complete -c dotstubctl -n '__fish_seen_subcommand_from system' -a 'status enable disable'
complete -c dotstubctl -n '__fish_seen_subcommand_from explain' -a 'last-slow last-failed'
complete -c dotstubctl -n '__fish_seen_subcommand_from log' -a 'error warning info debug'
complete -c dotstubctl -n '__fish_seen_subcommand_from queries' -a 'yes no'
complete -c dotstubctl -n '__fish_seen_subcommand_from check upgrade' -F

complete -c dotstubctl -s s -l socket -r -F -d 'The control socket of the daemon'
complete -c dotstubctl -s c -l config -r -F -d 'The configuration'
complete -c dotstubctl -s j -l json -d 'Print JSON'
complete -c dotstubctl -n '__fish_seen_subcommand_from flush' -l suffix -x -d 'All names below this one'
complete -c dotstubctl -n '__fish_seen_subcommand_from system' -l dry-run -d 'Only say what would be done'
complete -c dotstubctl -n '__fish_seen_subcommand_from system' -l root -x -a '(__fish_complete_directories)' -d 'Change the files below it'
complete -c dotstubctl -n '__fish_seen_subcommand_from system' -l trust-ad -d 'Have programs believe the AD flag'
complete -c dotstubctl -n '__fish_seen_subcommand_from stats' -l watch -d 'A line each second'
complete -c dotstubctl -n '__fish_seen_subcommand_from doctor' -l quick -d 'Only whether the daemon answers'
complete -c dotstubctl -n '__fish_seen_subcommand_from doctor' -l bundle -r -F -d 'Write a report without names'
complete -c dotstubctl -l version -d 'Print the version'
complete -c dotstubctl -s h -l help -d 'Print the commands and options'
