/// The shell script that is the parent of a broker's processes.
///
/// It holds the reading end of a pipe from this process. The kernel closes the pipe however this process ends, `kill
/// -9` included, and the script then ends the broker. There is no moment at which a server runs and nobody would end
/// it: the guard is there first, and starts it.
///
/// Arguments: the data folder; `keep` or `remove`; how many seconds the nodes get to end in order when nobody asked; the
/// mark that everything of this broker carries as ``brokerMarkVariable`` in its environment.
/// Standard input: `start NAME` runs `launch-NAME`; `stop SECONDS`, or the end of the input, ends everything.
/// Standard output: `started NAME PID`, written by the launch script; `exited NAME STATUS`.
/// Standard error: the locked lock file, so that the folder stays locked until the last of the broker is gone.
///
/// A file `run/NAME` holds the process id of whatever runs.
let guardScript = """
    folder=$1 keeping=$2 grace=$3 mark='\(brokerMarkVariable)='$4
    cd "$folder" || exit 1

    begin() {
        : >"run/$1"
        (
            sh "launch-$1" &
            wait $!
            status=$?
            rm -f "run/$1"
            echo "exited $1 $status"
        ) </dev/null &
    }

    # signal NAME SIGNALS...
    signal() {
        file=$1
        shift
        if [ -s "$file" ] && read -r pid <"$file"; then
            for name in "$@"; do kill -s "$name" "$pid" 2>/dev/null; done
        fi
    }

    running() {
        for file in run/$1; do [ -e "$file" ] && return 0; done
        return 1
    }

    # Whether one was begun a moment ago and has yet to write its process id.
    nameless() {
        for file in run/node-*; do [ -e "$file" ] && [ ! -s "$file" ] && return 0; done
        return 1
    }

    # The process ids of all that carry the mark: an Erlang machine starts programs in sessions of their own, which
    # outlive it for as long as they take to notice.
    marked() {
        if [ -d /proc/self ]; then
            grep -lsF "$mark" /proc/[0-9]*/environ | while IFS=/ read -r _ _ pid _; do echo "$pid"; done
        else
            ps -A -E -o pid= -o command= | while read -r pid rest; do
                case $rest in *"$mark"*) echo "$pid" ;; esac
            done
        fi
    }

    # Twice, since a process shows no environment while it becomes another program.
    end_marked() {
        tries=250 absent=0
        while [ "$tries" -gt 0 ] && [ "$absent" -lt 2 ]; do
            left=$(marked)
            if [ -z "$left" ]; then
                absent=$((absent + 1))
            else
                absent=0
                # shellcheck disable=SC2086 # one word a process
                kill -s KILL $left 2>/dev/null
                sleep 0.02
            fi
            tries=$((tries - 1))
        done
    }

    # A frozen node hears SIGTERM only after SIGCONT. Temporary data needs no orderly end.
    end() {
        trap '' TERM
        if [ "$keeping" = keep ]; then
            tenths=10
            while [ "$tenths" -gt 0 ] && nameless; do
                sleep 0.1
                tenths=$((tenths - 1))
            done
            for file in run/node-*; do signal "$file" TERM CONT; done
            tenths=$((grace * 10))
            while [ "$tenths" -gt 0 ] && running 'node-*'; do
                sleep 0.1
                tenths=$((tenths - 1))
            done
        fi
        tenths=50
        while [ "$tenths" -gt 0 ] && running '*'; do
            for file in run/*; do signal "$file" KILL; done
            sleep 0.05
            tenths=$((tenths - 1))
        done
        end_marked
        # For the last words of the subshells that began them.
        running '*' || wait
        if [ "$keeping" = remove ]; then
            cd / && rm -rf -- "$folder"
        fi
        exit 0
    }

    trap end TERM
    while read -r verb word; do
        case $verb in
        start) begin "$word" ;;
        stop)
            grace=$word
            break
            ;;
        esac
    done
    end
    """

/// The environment variable by which the guard knows what belongs to its broker.
let brokerMarkVariable = "LOCAL_BROKER_MARK"
