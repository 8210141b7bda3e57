r"""What speaks for a node as long as there is a connection to it: a program for ``sh``, as data.

One post serves all processes that one manager has on a node. It is the only one there that starts any, which
makes sure that none runs twice: a post that finds another one ends it if it is of the same owner, or has been
without its manager for long, and else gives up. Each process has its :mod:`.keeper`, which goes on when the
post is gone.

It reads orders from standard input, a line each; behind one that ends with ``@`` comes a line of which
``printf`` makes bytes. It answers by lines; ``o`` is followed by bytes.

=====================================================  ==============================================
``launch seq id name place token keeper-words @``      ``r seq started|found dir who ... | failed ...``
``attach seq id dir o e who``                          ``r seq ok|ended|gone``
``ack id stream offset``                               so much was taken; there is room for more
``kill seq id signal``                                 ``r seq 1|0``
``in id n @``, ``eof id``                              ``f id n``, later
``keep id``, ``leave id``, ``forget id dir``           it may outlive us, goes on alone, is removed
``drop id``                                            undoes a launch, as far as it did anything
``check seq seconds @``                                ``r seq exit-code``
``stats seq``                                          ``u ...`` a process, then ``r seq now``
``beat n``                                             ``b n``
=====================================================  ==============================================

Besides it says ``o id stream offset length``, ``e id stream offset`` (the output ends there), ``x id code
left|gone`` (``?``: nobody knows the code), ``n id`` (its group is gone), ``c id`` (it reads no more input)
and ``w id stream`` (its output cannot be written).

Before it come the lines ``manager``, ``node`` (machines may share a home directory), ``owner``, ``nonce``
(repeated in its greeting), ``window`` (bytes that are sent before they are taken), ``piece`` (bytes at a
time), ``stale`` (1/100 s) and ``patience`` (1/10 s).
"""

from __future__ import annotations

from typing import Final

__all__ = ("BOOTSTRAP", "POST")

# Each login shell understands this as it is. The program follows on standard input, up to a line with a dot.
BOOTSTRAP: Final = (
    "exec sh -c 'n=$(echo;echo .);n=${n%.};p=;"
    'while IFS= read -r l;do case $l in .)break;;esac;p=$p$l$n;done;eval "$p"\''
)

POST: Final = r"""
fail() {
    echo "asynctask-node $nonce no $*"
    exit 1
}

now() {
    read -r up _ < /proc/uptime
    up=${up%.*}${up#*.}
}

# Start time of a process that is alive; its name may hold anything.
born() {
    text=
    while IFS= read -r line || [ "$line" ]; do
        text="$text $line"
    done < "/proc/$1/stat"
    set -- ${text##*) }
    case $1 in Z | X | '') return 1 ;; esac
    born=${20}
}

is_alive() {
    set -- $1
    [ "$3" = "$boot" ] && born "$1" && [ "$born" = "$2" ]
}

newest() {
    newest=0
    for post in .post.*; do
        post=${post#.post.}
        [ -L ".post.$post" ] && [ "$post" -gt $newest ] && newest=$post
    done
}

# Posts are numbered, and a name can be made once: who makes the one after the last that is alive is the next.
claim() {
    tries=0
    while :; do
        tries=$((tries + 1))
        [ $tries -gt 99 ] && fail "${why:-busy}"
        newest
        if [ $newest -gt 0 ] && other=$(readlink .post.$newest) && is_alive "$other"; then
            set -- $other
            said=$2 # it may not have come to say so, and the clock of start times has the same ticks
            [ -r .connected ] && read -r last < .connected && [ "${last:-0}" -gt "$said" ] && said=$last
            now
            if [ "$4" = "$owner" ] || [ $((up - said)) -gt $stale ]; then
                kill -KILL "$1"
            elif [ $tries -gt $patience ]; then
                fail busy
            fi
            sleep 0.1 || sleep 1
            continue
        fi
        number=$((newest + 1))
        if ! said=$(ln -s "$me" .post.$number 2>&1); then
            why="unfit $said"
            [ -L .post.$number ] && why=
            sleep 0.1 || sleep 1
            continue
        fi
        why=
        newest
        [ $newest = $number ] && break
        rm -f .post.$number
    done
    for old in .post.* .events.* .payload.* .keeper.* .tick.*; do
        rest=${old#.*.}
        [ "${rest%%.*}" -lt $number ] && rm -f "$old"
    done
    rm -rf .dead.*
}

# -- what goes on beside ------------------------------------------------------------------------------

relay() {
    k=0
    while IFS= read -r line; do
        case $line in
        *" @")
            k=$((k + 1))
            file=.payload.$number.$k
            IFS= read -r text || break # it was cut off
            printf "$text" > $file || file=-
            line="${line% @} $file"
            ;;
        esac
        printf '%s\n' "$line"
    done
    echo bye
}

ticker() {
    while read -r pause; do
        [ $pause = 0 ] || sleep $pause || sleep 1
        echo tick
    done
}

check() {
    setsid sh "$3" "$mask" "$home" > /dev/null 8>&- 9>&- &
    checked=$!
    {
        sleep "$2" &
        sleeper=$!
        trap 'kill $sleeper; exit' TERM
        wait $sleeper
        kill -KILL "-$checked"
        exit
    } &
    wait $checked
    rc=$?
    kill $!
    rm -f "$3"
    echo "checked $1 $rc" >&9
}

# -- lives ------------------------------------------------------------------------------

begin() {
    eval "id_${2##*/}=$1 dir_$1=\$2 at_o_$1=$3 at_e_$1=$4"
    eval "room_o_$1=$(($3 + window)) room_e_$1=$(($4 + window))"
    eval "acked_o_$1=$3 acked_e_$1=$4 pending_$1= begun_$1= who_$1= told_o_$1= told_e_$1="
    lives="$lives $1"
    pause=0
}

leave() {
    eval "[ \"\$dir_$1\" ] && unset id_\${dir_$1##*/}"
    left=
    for id in $lives; do
        [ $id = "$1" ] || left="$left $id"
    done
    lives=$left
}

forget() {
    leave "$1"
    bury "$2"
}

# A directory is moved away first: while its files were removed one by one, what was forestalled could still
# make the link that was removed already. So where that is possible they stay, but for what may be secret.
bury() {
    grave=.dead.$number.${1##*/}
    mv "$1" $grave
    rm -f $grave/run
    case $(readlink $grave/proc) in revoked | '') ;; *) rm -rf $grave ;; esac
    rmdir "${1%/*}"
}

# Whoever asked for it does not want it any more.
drop() {
    eval "dir=\$dir_$1 begun=\$begun_$1"
    if [ "$begun" ]; then
        lives_on "$dir" && kill -KILL "-${who%% *}"
        forget $1 "$dir"
    else
        leave $1
    fi
}

# Whether a life goes on. One that has not begun by now never will.
lives_on() {
    who=$(readlink "$1/proc") || ln -s revoked "$1/proc" || who=$(readlink "$1/proc")
    is_alive "$who"
}

launch() {
    seq=$2 id=$3 name=$4 place=$5 token=$6
    shift 6
    found=
    case $place in
    *.once-*) ;;
    *)
        # That of another index will do: where processes were replaced, they are not the first ones.
        for life in "$place"/*/ "$name".[0-9]*/*/; do
            life=${life%/}
            [ -d "$life" ] || continue
            eval "taken=\${id_${life##*/}-}"
            [ "$taken" ] && continue
            if lives_on "$life"; then
                [ "$found" ] || found=$life
            else
                bury "$life"
            fi
        done
        ;;
    esac
    if [ "$found" ]; then
        lives_on "$found"
        resume "$found"
        begin $id "$found" $o $e
        eval "who_$id=\$who"
        mark $id
        echo "r $seq found $found $who $o $e $fed"
        return
    fi
    shift $(($# - 1))
    why=$(mkdir -p "$place/$token" 2>&1 && mv "$1" "$place/$token/run" 2>&1) || {
        rm -f "$1"
        echo "r $seq failed temporary $why"
        return
    }
    begin $id "$place/$token" 0 0
    eval "pending_$id=$seq begun_$id=1"
    mark $id || {
        echo "r $seq failed temporary its disk is full"
        forget $id "$place/$token"
        return
    }
    set -- $order
    shift 6
    setsid sh .keeper.$number "$place/$token" $1 $2 $3 $4 $5 $6 $7 $8 $9 "$mask" "$home" \
        > /dev/null 8>&- 9>&- &
}

# How much of its output somebody has had.
resume() {
    o=0 e=0 fed=0
    [ -r "$1/acked.o" ] && read -r o < "$1/acked.o"
    [ -r "$1/acked.e" ] && read -r e < "$1/acked.e"
    [ -r "$1/fed" ] && read -r fed < "$1/fed"
    for file in "$1"/in.*; do
        [ -e "$file" ] && [ "${file##*.}" -gt $fed ] && fed=${file##*.}
    done
    o=${o:-0} e=${e:-0}
}

# Somebody is connected to it now.
mark() {
    eval "dir=\$dir_$1"
    now
    [ -d "$dir" ] && echo $up > "$dir/beat"
}

is_up() {
    eval "seq=\$pending_$1 dir=\$dir_$1"
    [ "$seq" ] || return
    who=$(readlink "$dir/proc")
    eval "who_$1=\$who pending_$1="
    echo "r $seq started $dir $who 0 0 0"
}

attach() {
    who="$7 $8 $9" n=0
    if ! is_alive "$who" && [ ! -d "$4" ]; then
        echo "r $2 gone"
        return
    fi
    begin $3 "$4" $5 $6
    eval "who_$3=\$who"
    mark $3
    # Its keeper may be about to write down how it ended.
    while ! is_alive "$who" && [ ! -e "$4/exit" ] && has_keeper "$4" && [ $n -lt 50 ]; do
        sleep 0.1 || sleep 1
        n=$((n + 1))
    done
    if [ -e "$4/exit" ] || ! is_alive "$who"; then
        echo "r $2 ended"
        look
        has_exited $3
    else
        echo "r $2 ok"
    fi
    [ -r "$4/fed" ] && read -r fed < "$4/fed" && echo "f $3 $fed"
    [ -e "$4/closed" ] && echo "c $3"
}

has_keeper() {
    read -r it < "$1/keeper" && case $(readlink "/proc/$it/cwd") in */"${1##*/}") ;; *) false ;; esac
}

has_exited() {
    is_up $1
    eval "dir=\$dir_$1"
    read -r rc left < "$dir/exit" || rc='?' left=gone
    [ -e "$dir/gone" ] && left=gone
    echo "x $1 $rc $left"
}

has_failed() {
    eval "seq=\$pending_$1 dir=\$dir_$1"
    why='nobody can tell why: it ended before it could say so'
    [ -r "$dir/failed" ] && read -r why < "$dir/failed"
    [ "$seq" ] && echo "r $seq failed $why"
    forget $1 "$dir"
}

send_signal() {
    eval "dir=\$dir_$3 who=\$who_$3"
    if [ ! -e "$dir/gone" ] && { is_alive "$who" || [ -e "$dir/exit" ]; } && kill "-$4" "-${who%% *}"; then
        echo "r $2 1"
    else
        echo "r $2 0"
    fi
}

put() {
    eval "dir=\$dir_$2"
    fed=0
    [ -r "$dir/fed" ] && read -r fed < "$dir/fed"
    if [ "$3" -le "$fed" ]; then
        echo "f $2 $3"
    elif [ -e "$dir/closed" ]; then
        echo "c $2"
    elif [ -e "$dir/in.$3" ] || mv "$4" "$dir/in.$3"; then
        echo "$3" 1<> "$dir/feed"
    else
        echo "c $2"
    fi
    rm -f "$4"
}

stats() {
    groups=x
    for id in $lives; do
        eval "who=\$who_$id"
        groups="$groups|${who%% *}"
    done
    cat /proc/[0-9]*/stat | sed -n 's/^\([0-9]*\) (.*) \([A-Za-z] [0-9]* [0-9]* \)/u \1 \2/p' |
        grep -E "^u [0-9]+ [A-Za-z] [0-9]+ ($groups) "
    now
    echo "r $1 $up"
}

beat() {
    now
    echo $up > .connected
    for id in $lives; do
        eval "dir=\$dir_$id who=\$who_$id"
        [ -d "$dir" ] && echo $up > "$dir/beat"
        [ "$who" ] || continue
        is_alive "$who" || has_keeper "$dir" || [ -e "$dir/exit" ] || echo "x $id ? gone"
    done
    echo "b $1"
}

# -- output ------------------------------------------------------------------------------

# Sends what there is and has room, and removes what was taken.
look() {
    busy=
    set --
    for id in $lives; do
        eval "dir=\$dir_$id now_o_$id= now_e_$id= next_o_$id= next_e_$id= past_o_$id= past_e_$id="
        set -- "$@" "$dir"/[oe].[0-9]*
    done
    [ $# = 0 ] && return
    list=$(LC_ALL=C ls -ln "$@")
    IFS=$newline
    set -- $list
    unset IFS
    for line; do
        set -- $line
        case $1 in -*) ;; *) continue ;; esac
        size=$5 name=${line##* }
        start=${name##*.} dir=${name%/*} s=${name##*/}
        s=${s%.*}
        eval "id=\${id_${dir##*/}-}"
        [ "$id" ] || continue
        eval "at=\$at_${s}_$id now=\$now_${s}_$id next=\$next_${s}_$id"
        if [ $start -gt $at ]; then
            [ -z "$next" ] || [ $start -lt $next ] && eval "next_${s}_$id=$start"
        elif [ -z "$now" ] || [ $start -gt $now ]; then
            eval "past_${s}_$id=\"\$past_${s}_$id $now\" now_${s}_$id=$start size_${s}_$id=$size"
        else
            eval "past_${s}_$id=\"\$past_${s}_$id $start\""
        fi
    done
    for id in $lives; do
        send o
        send e
    done
}

send() {
    s=$1
    eval "at=\$at_${s}_$id room=\$room_${s}_$id acked=\$acked_${s}_$id"
    eval "now=\$now_${s}_$id next=\$next_${s}_$id"
    eval "past=\$past_${s}_$id dir=\$dir_$id told=\$told_${s}_$id"
    [ $acked -ge "${now:-0}" ] && for old in $past; do
        rm -f "$dir/$s.$old"
    done
    eval "size=\$((\${now:-0} + \${size_${s}_$id:-0}))"
    if [ "$now" ] && [ $at -lt $size ]; then
        length=$((size - at))
        [ $length -gt $((room - at)) ] && length=$((room - at))
        [ $length -gt $piece ] && length=$piece
        if [ $length -gt 0 ]; then
            {
                echo "o $id $s $at $length"
                tail -c +$((at - now + 1)) | head -c $length
                eval "at_${s}_$id=$((at + length))"
                busy=1
            } < "$dir/$s.$now"
        fi
    elif [ "$next" ]; then
        eval "at_${s}_$id=$next"
        busy=1
    fi
    if [ -z "$told" ] && [ -e "$dir/end.$s" ]; then
        read -r end < "$dir/end.$s" && echo "e $id $s $end" && eval "told_${s}_$id=1"
    fi
}

# -- it begins ------------------------------------------------------------------------------

newline='
'
mask=$(umask)
umask 077
home=$PWD
unset IFS SSH_CONNECTION SSH_CLIENT SSH_TTY SSH_AUTH_SOCK LC_ASYNCTASK
exec 3<&0 < /dev/null 2> /dev/null
[ -r /proc/uptime ] || fail "unfit it is no Linux: /proc/uptime is missing"
for tool in setsid mkfifo readlink ln dd wc ls tail head sed grep; do
    command -v $tool > /dev/null || fail "unfit it has no program '$tool'"
done
base=${XDG_STATE_HOME:-${HOME:?}/.local/state}/asynctask/$manager/$node
why=$(mkdir -p "$base" 2>&1) || fail "unfit $why"
cd "$base" || fail "unfit cannot enter $base"
base=$PWD
read -r boot < /proc/sys/kernel/random/boot_id
born $$
me="$$ $born $boot $owner"
claim
why=$(mkfifo .events.$number .tick.$number 2>&1) || fail "unfit $why"
printf '%s\n' "$keeper" > .keeper.$number || fail "unfit its disk is full"
exec 9<> .events.$number
{ exec <&3 >&9 3<&-; relay; } &
{ exec < .tick.$number >&9 3<&-; ticker; } &
ticker=$!
exec 3<&- 8> .tick.$number
rm -f .tick.$number
lives= ticking= pause=0
now
echo $up > .connected
echo "asynctask-node $nonce ok $(getconf PAGESIZE || echo 4096) $(getconf CLK_TCK || echo 100)"
while read -r order <&9; do
    set -- $order
    case $1 in
    up | exit | failed | gone | fed | closed | end | full)
        eval "id=\${id_$2-}"
        [ "$id" ] || continue
        ;;
    esac
    case $1 in
    tick)
        ticking=
        look
        case $busy$pause in
        1*) pause=0 ;;
        0) pause=0.05 ;;
        0.05) pause=0.1 ;;
        0.1) pause=0.2 ;;
        *) pause=0.3 ;;
        esac
        ;;
    up) is_up $id ;;
    exit)
        has_exited $id
        look
        ;;
    failed) has_failed $id ;;
    gone) echo "n $id" ;;
    fed) echo "f $id $3" ;;
    closed) echo "c $id" ;;
    end) look ;;
    full) echo "w $id $3" ;;
    launch) launch "$@" ;;
    attach) attach "$@" ;;
    ack)
        eval "dir=\$dir_$2 acked_$3_$2=$4 room_$3_$2=$(($4 + window))"
        [ -d "$dir" ] && echo $4 > "$dir/acked.$3"
        pause=0
        ;;
    kill) send_signal "$@" ;;
    in) put "$@" ;;
    eof) eval "echo end 1<> \"\$dir_$2/feed\"" ;;
    keep) eval ": > \"\$dir_$2/kept\"" ;;
    leave) leave $2 ;;
    forget) forget $2 $3 ;;
    drop) drop $2 ;;
    check) check $2 $3 "$4" & ;;
    checked) echo "r $2 $3" ;;
    stats) stats $2 ;;
    beat) beat $2 ;;
    bye) break ;;
    esac
    if [ "$lives" ] && [ -z "$ticking" ]; then
        ticking=1
        echo $pause >&8
    fi
done
kill $ticker
rm -f .events.$number .keeper.$number .payload.$number.*
rm -f .post.$number # now the number is free
"""
