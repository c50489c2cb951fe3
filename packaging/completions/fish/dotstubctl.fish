# fish completion for dotstubctl(8)

set -l commands status stats flush cache explain trace config log queries reload drain upgrade system doctor pin check
complete -c dotstubctl -f
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a status -d 'show the daemon, its upstreams and its cache'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a stats -d 'show all counters, or a line each second'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a flush -d 'flush the cache, a name, or all names below one'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a cache -d 'show the cache entries of a name'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a explain -d 'show where the time of slow and failed queries went'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a trace -d 'send a query and show each step'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a config -d 'show the settings in force and their origin'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a log -d 'set the log level, or that of one module'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a queries -d 'log every query, or one in N'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a reload -d 'reload the configuration'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a drain -d 'fail health checks for some time, then stop'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a upgrade -d 'replace the daemon by a new process'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a system -d 'make dotstub the resolver of this machine, or undo that'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a doctor -d 'check DNS on this machine and suggest remedies'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a pin -d 'print the pin of a server'
complete -c dotstubctl -n "not __fish_seen_subcommand_from $commands" -a check -d 'check a configuration file'

complete -c dotstubctl -n '__fish_seen_subcommand_from system' -a 'status enable disable'
complete -c dotstubctl -n '__fish_seen_subcommand_from explain' -a 'last-slow last-failed'
complete -c dotstubctl -n '__fish_seen_subcommand_from log' -a 'error warning info debug'
complete -c dotstubctl -n '__fish_seen_subcommand_from queries' -a 'yes no'
complete -c dotstubctl -n '__fish_seen_subcommand_from check upgrade' -F

complete -c dotstubctl -s s -l socket -r -F -d 'The control socket of the daemon'
complete -c dotstubctl -s c -l config -r -F -d 'The configuration'
complete -c dotstubctl -s j -l json -d 'Print JSON'
complete -c dotstubctl -n '__fish_seen_subcommand_from flush' -l suffix -x -d 'All names below this one'
complete -c dotstubctl -n '__fish_seen_subcommand_from system' -l dry-run -d 'Only print what would be done'
complete -c dotstubctl -n '__fish_seen_subcommand_from system' -l root -x -a '(__fish_complete_directories)' -d 'Change the files below it'
complete -c dotstubctl -n '__fish_seen_subcommand_from system' -l trust-ad -d 'Make programs trust the AD flag'
complete -c dotstubctl -n '__fish_seen_subcommand_from stats' -l watch -d 'A line each second'
complete -c dotstubctl -n '__fish_seen_subcommand_from doctor' -l quick -d 'Only check that the daemon answers'
complete -c dotstubctl -n '__fish_seen_subcommand_from doctor' -l bundle -r -F -d 'Write a report without query names'
complete -c dotstubctl -l version -d 'Print the version'
complete -c dotstubctl -s h -l help -d 'Print the commands and options'
