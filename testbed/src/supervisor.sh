# Starts one server, and sees to its end. Arguments: the parent of its folder, the first part of the folder's name, and
# the signal that ends the server at once. Orders come as lines on standard input, answers go to standard output. The
# end of the input is the end of the owner, however that came about: then the server is ended and its folder removed.
#
# In the folder: `setup` and `start` are scripts that the owner has written; `end`, if there, tidies up behind a server
# that could not do so itself; `log` is what they all say.

# Signals only wake up `read`. Handlers, unlike ignored signals, are not inherited by the server.
trap : HUP INT TERM PIPE
umask 077
folder=$(mktemp -d "$1/$2.XXXXXX") || exit 1
signal=$3
server=
cd "$folder" || exit 1
exec 2>>log
# Of its own too: a MariaDB removes what it takes for its leftovers, and would take those of its neighbours.
mkdir tmp
export TMPDIR="$folder/tmp"
echo "$folder"

# The state letter and the parent of a process. Its name, which stands before them, may hold anything.
stat_of() {
    { IFS= read -r line <"$1"; } 2>/dev/null || return 1
    set -- ${line##*) }
    state=$1 parent=$2
}

runs() {
    stat_of "/proc/$server/stat" && [ "$state" != Z ]
}

# The server and its children.
processes() {
    echo "$server"
    for stat in /proc/[0-9]*/stat; do
        if stat_of "$stat" && [ "$parent" = "$server" ]; then
            echo "${stat%/stat}" | cut -d/ -f3
        fi
    done
}

end_server() {
    runs || return
    all=$(processes)
    kill -CONT $all
    kill -"$signal" "$server"
    ticks=0
    while runs && [ $ticks -lt 100 ]; do
        sleep 0.05
        ticks=$((ticks + 1))
    done
    kill -KILL $all
}

while read -r order; do
    case $order in
    setup)
        sh ./setup </dev/null >>log 2>&1
        echo $?
        ;;
    start)
        [ -z "$server" ] || wait "$server"
        sh ./start </dev/null >>log 2>&1 &
        server=$!
        echo "$server"
        ;;
    esac
done

[ -z "$server" ] || end_server
[ ! -f end ] || sh ./end
cd /
# A process that is still dying may write one more file.
rm -rf "$folder" || { sleep 1; rm -rf "$folder"; }
