r"""What stays with one process on its node: a program for ``sh``, as data.

It is run in the directory of one life of a process, in a session of its own, and needs nobody. It starts the
process, keeps its output in files, feeds its input, writes down how it ended, and ends it when nobody was
connected for too long. What it knows it tells the post of the node (see :mod:`.post`), if there is one, by
lines into a FIFO; whoever comes later reads the files.

In the directory of a life::

    run         what is to be executed; removed by itself
    proc        a symbolic link that holds process, start time and boot: made once, by the process itself
                right before it executes its program, or by who wants it never to be executed
    failed      why nothing was executed
    o.N  e.N    output and errors from byte N on; end.o, end.e: how much there was of it
    acked.o .e  how much of it the manager has
    in.N  fed   pieces of input, and the number of the last that was written; closed: nobody reads it
    keeper      the number of this process, which is in this directory
    beat        when the manager was last connected, in 1/100 s since the boot
    kept        it may outlive the manager
    exit        exit code as the shell has it, and whether others of its group were left; gone: none is

Arguments: directory, lost timeout (1/100 s), stop signal, grace (1/10 s), input (``1`` or ``0``), output and
errors (``pipe``, ``null``; errors: ``merge``), bytes a read, reads a file, bytes that may be unread, umask,
directory of the login.
"""

from __future__ import annotations

from typing import Final

__all__ = ("KEEPER",)

KEEPER: Final = r"""
cd "$1" || exit
lost=$2 sig=$3 grace=$4 input=$5 out=$6 err=$7 block=$8 count=$9
shift 9
bound=$1 mask=$2 home=$3
token=${PWD##*/}

# A FIFO without a reader takes the line, too: it is opened for both.
tell() {
    for fifo in ../../.events.*; do
        [ -p "$fifo" ] && echo "$1 $token $2" 1<> "$fifo"
    done
}

now() {
    read -r up _ < /proc/uptime
    up=${up%.*}${up#*.}
}

# From a pipe into files: a file is left when it is large or has seen many reads, so that its disk can be had
# again. What nobody has taken for too long goes first.
spool() {
    at=0 files=
    while :; do
        dd bs="$block" count="$count" of="$1.$at"
        wrote=$?
        size=$(wc -c < "$1.$at")
        size=$((size))
        if [ "$size" -gt 0 ]; then
            files="$files $at"
            at=$((at + size))
        else
            rm -f "$1.$at"
            [ $wrote = 0 ] && break
        fi
        if [ $wrote != 0 ]; then
            tell full "$1" &
            [ "$(dd bs="$block" count=64 | wc -c)" -gt 0 ] || break
        fi
        for old in $files; do
            [ $((at - old)) -gt "$bound" ] || break
            rm -f "$1.$old"
            files=${files# "$old"}
        done
    done
    echo $at > "end.$1.new" && mv "end.$1.new" "end.$1"
    tell end "$1"
}

feed() {
    exec 7<> feed
    while read -r n <&7; do
        [ "$n" = end ] && exit
        [ -e "in.$n" ] || continue
        if ! cat "in.$n" >&8; then
            : > closed
            tell closed
            exit
        fi
        echo "$n" > fed
        rm -f "in.$n"
        tell fed "$n" &
    done
}

# Who only waits to be reaped by its parent is not there, though a signal finds it.
somebody() {
    kill -0 "-$child" && cat /proc/[0-9]*/stat | grep -Eq "^[0-9]+ [(].*[)] [^ZX] [0-9]+ $child "
}

end() {
    kill "-$sig" "-$child"
    kill -CONT "-$child"
    n=0
    while somebody && [ $n -lt "$grace" ]; do
        sleep 0.1 || sleep 1
        n=$((n + 1))
    done
    kill -KILL "-$child"
}

# Ends the process when nobody was connected for too long.
watch() {
    step=$((lost / 8 + 5))
    [ $step -gt 1000 ] && step=1000
    while :; do
        sleep $((step / 100)).$((step % 100 / 10)) &
        sleeper=$!
        trap 'kill $sleeper; exit' TERM
        wait $sleeper || sleep 1
        [ -e kept ] && exit
        read -r said < beat && [ "$said" ] && beat=$said
        now
        [ $((up - beat)) -ge "$lost" ] || continue
        trap - TERM
        end
        step=20 # it may not have been its own group yet
    done
}

exec < /dev/null > /dev/null 2>&1
echo $$ > keeper
read -r beat < beat
mkfifo up o e i feed || exit
# Each is opened at both ends here, waiting for nobody; it fails when the directory was removed meanwhile.
# What is closed for a function or a group comes back after it, so a shell keeps it: but for exec.
exec 3<> /dev/null 4> /dev/null 5> /dev/null 6< /dev/null
if [ "$out" = pipe ]; then
    exec 9<> o
    exec 3< o 4> o 9>&-
    { exec <&3 3<&- 4>&- 5>&- 6<&-; spool o; } &
fi
if [ "$err" = pipe ]; then
    exec 9<> e
    exec 3< e 5> e 9>&-
    { exec <&3 3<&- 4>&- 5>&- 6<&-; spool e; } &
fi
[ "$err" = merge ] && exec 5>&4
if [ "$input" = 1 ]; then
    exec 9<> i
    exec 6< i 8> i 9>&-
    { exec 3<&- 4>&- 5>&- 6<&-; feed; } &
    feeder=$!
fi
exec 9<> up
exec 3< up 7> up 8>&- 9>&-
{ exec <&3 3<&- 4>&- 5>&- 6<&- 7>&-; read -r said && [ "$said" = up ] && tell up; } &
reader=$!
setsid sh ./run "$mask" "$home" <&6 >&4 2>&5 5>&7 3<&- 4>&- 6<&- 7>&- &
child=$!
exec 3<&- 4>&- 5>&- 6<&- 7>&-
rm -f o e i up
watch &
watcher=$!
wait $child
rc=$?
if [ ! -L proc ]; then
    kill $reader $watcher $feeder
    tell failed
    exit
fi
left=gone
somebody && left=left
echo "$rc $left" > exit.new && mv exit.new exit
tell exit &
if [ $left = left ]; then
    # The manager ends what is left of the group; when there is none, or it has given up, we do.
    while somebody && [ -e exit ]; do
        sleep 0.1 || sleep 1
    done
    [ -e exit ] || end
    : > gone
    tell gone &
fi
kill $watcher $feeder
wait
exit 0
"""
