"""Scripts in the style of ClusterShell 1.6 to 1.9: each runs as written, with either's imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sync.helpers import run_program

OURS = """
from asynctask.sync import (
    AlreadyRunningError, EventHandler, ExecWorker, NodeSet, StreamWorker, Task, TaskError, TimeoutError,
    WorkerError, WorkerPopen, WorkerSimple, WorkerSsh, task_cleanup, task_self, task_terminate, task_wait,
)
"""
THEIRS = """
from ClusterShell.Task import (
    AlreadyRunningError, Task, TaskError, TimeoutError, task_cleanup, task_self, task_terminate, task_wait,
)
from ClusterShell.Event import EventHandler
from ClusterShell.NodeSet import NodeSet
from ClusterShell.Worker.Exec import ExecWorker
from ClusterShell.Worker.Popen import WorkerPopen
from ClusterShell.Worker.Ssh import WorkerSsh
from ClusterShell.Worker.Worker import StreamWorker, WorkerError, WorkerSimple
"""

GATHER = """
class Gather(EventHandler):
    def __init__(self):
        self.count = {}
        self.failed = NodeSet()

    def ev_read(self, worker, node, sname, msg):
        self.count[node] = self.count.get(node, 0) + 1

    def ev_hup(self, worker, node, rc):
        if rc:
            self.failed.add(node)

    def ev_close(self, worker, timedout):
        print("closed", timedout, sorted(self.count.items()), self.failed)

task = task_self()
task.set_info("fanout", 2)
task.shell("echo kernel $((%n %% 2)); echo arch; exit $((%n / 3))", nodes="node[0-3]", remote=False,
           handler=Gather())
task.resume()
for buf, nodes in sorted(task.iter_buffers(), key=lambda each: bytes(each[0])):
    print(NodeSet.fromlist(nodes))
    print("  " + buf.message().decode().replace("\\n", "\\n  "))
for rc, nodes in sorted(task.iter_retcodes()):
    print(rc, NodeSet.fromlist(nodes))
print(task.max_retcode(), task.node_buffer("node2"), task.key_buffer("nobody"))
"""
GATHERED = """\
closed False [('node0', 2), ('node1', 2), ('node2', 2), ('node3', 2)] node3
node[0,2]
  kernel 0
  arch
node[1,3]
  kernel 1
  arch
0 node[0-2]
1 node3
1 b'kernel 0\\narch' b''
"""

OLD_SIGNATURES = """
class Monitor(EventHandler):
    def ev_start(self, worker):
        print("start")

    def ev_pickup(self, worker):
        print("pickup", worker.current_node)

    def ev_read(self, worker):
        print("out", worker.current_node, worker.current_msg.decode())

    def ev_error(self, worker):
        print("err", worker.current_node, worker.current_errmsg.decode())

    def ev_hup(self, worker):
        print("hup", worker.current_node, worker.current_rc)

    def ev_close(self, worker):
        print("close", worker.did_timeout())
        for rc, nodes in worker.iter_retcodes():
            print(rc, nodes)

task = task_self()
for command in ("echo hello; exit 3", "echo oops >&2", "kill -9 $$"):
    task.shell(command, nodes="a1", remote=False, stderr=True, handler=Monitor())
    task.run()
    print(task.node_error("a1"), task.node_retcode("a1"))
"""
OLD_SIGNED = """\
start
pickup a1
out a1 hello
hup a1 3
close False
3 a1
b'' 3
start
pickup a1
err a1 oops
hup a1 0
close False
0 a1
b'oops' 0
start
pickup a1
hup a1 137
close False
137 a1
b'' 137
"""

TIMERS = """
class Ticks(EventHandler):
    def __init__(self, name, count):
        self.name = name
        self.left = count

    def ev_timer(self, timer):
        self.left -= 1
        print(self.name, self.left)
        if not self.left:
            timer.invalidate()
            print(timer.is_valid())

class Chain(EventHandler):
    def ev_timer(self, timer):
        print("once, then a command")
        task_self().shell("echo from the timer", handler=self)

    def ev_read(self, worker):
        print(worker.current_msg.decode())

    def ev_close(self, worker):
        task_self().timer(0.0, Ticks("last", 1))

task = task_self()
task.timer(0.02, Ticks("first", 3), interval=0.02)
task.timer(0.2, Chain())
task.timer(60.0, Ticks("never", 1), autoclose=True)
task.run()
print("over", task.running())
"""
TIMED = """\
first 2
first 1
first 0
False
once, then a command
from the timer
last 0
False
over False
"""

PORTS = """
import threading

class Server(EventHandler):
    def __init__(self):
        self.up = threading.Event()

    def ev_port_start(self, port):
        print("server is up")
        self.up.set()

    def ev_msg(self, port, msg):
        answer, command = msg
        worker = task_self().shell(command, handler=self)
        worker.answer = answer

    def ev_close(self, worker, timedout):
        worker.answer.msg_send((worker.read(), worker.retcode()))

class Client(EventHandler):
    def __init__(self, commands):
        self.commands = commands

    def ev_msg(self, port, msg):
        print("answer", msg)
        if self.commands:
            ask(port, self.commands.pop(0))
        else:
            task_self().remove_port(port)

def ask(port, command):
    print("ask", command)
    server_port.msg((port, command))

server = Task()
server_port = server.port(handler=Server(), autoclose=False)
server.resume()
server_port.eh.up.wait()
client = task_self()
port = client.port(handler=Client(["exit 3", "printf 'two\\nlines'"]))
ask(port, "echo one")
client.run()
server.abort(kill=True)
server.thread.join()
print("over", client.running())
task_wait()
task_terminate()
print(task_self() is client)
"""
PORTED = """\
server is up
ask echo one
answer (b'one', 0)
ask exit 3
answer (None, 3)
ask printf 'two
lines'
answer (b'two\\nlines', 0)
over False
False
"""

WRITING = """
class Dialogue(EventHandler):
    def ev_read(self, worker, node, sname, msg):
        print(node, msg.decode())
        if msg == b"name?":
            worker.write(b"shell\\n")
        elif msg == b"bye shell":
            worker.set_write_eof()

    def ev_written(self, worker, node, sname, size):
        print("written", node, sname, size)

task = task_self()
worker = task.shell("echo name?; read name; echo bye $name; cat; echo end", nodes="n1", remote=False,
                    handler=Dialogue())
task.run()

worker = ExecWorker(nodes=NodeSet("n[1-3]"), handler=None, timeout=20, command="cat; echo %h")
task.schedule(worker)
worker.write(b"broad")
worker.write(b"cast\\n")
worker.set_write_eof()
task.resume()
for node in worker.nodes:
    print(worker.node_buffer(node), worker.node_retcode(node))
print(task.shell("cat", stdin=False) is None)
task.run()
print(task.max_retcode())
"""
WRITTEN = """\
n1 name?
written n1 stdin 6
n1 bye shell
n1 end
b'broadcast\\nn1' 0
b'broadcast\\nn2' 0
b'broadcast\\nn3' 0
False
0
"""

TIMEOUTS = """
class Watch(EventHandler):
    def ev_read(self, worker):
        print("read", worker.current_node, worker.current_msg.decode())

    def ev_hup(self, worker):
        print("hup", worker.current_node)

    def ev_timeout(self, worker):
        print("timeout", worker.num_timeout(), NodeSet.fromlist(worker.iter_keys_timeout()))

    def ev_close(self, worker):
        print("close", worker.did_timeout())

task = task_self()
task.shell("test %n = 0 && exec sleep 60; echo fast", nodes="n[1-2]", remote=False, timeout=0.3,
           handler=Watch())
task.run()
print(task.num_timeout(), list(task.iter_keys_timeout()), task.max_retcode())

worker = task.shell("echo begun; exec sleep 60", nodes="n3", remote=False, handler=Watch())
try:
    task.resume(0.3)
    print("never")
except TimeoutError:
    print("task timeout", list(task.iter_keys_timeout()), task.node_buffer("n3"))
try:
    task.schedule(worker)
except WorkerError as exc:
    print(exc)
task.run("true")
print(task.num_timeout())
"""
TIMED_OUT = """\
read n2 fast
hup n2
timeout 1 n1
close True
1 ['n1'] 0
read n3 begun
timeout 1 n3
close True
task timeout ['n3'] b'begun'
worker has already been scheduled
0
"""

SEVERAL = """
class Step(EventHandler):
    def __init__(self, name, steps):
        self.name = name
        self.steps = steps

    def ev_close(self, worker, timedout):
        print(self.name, "done")
        if self.steps:
            task_self().schedule(WorkerPopen("true", handler=Step(self.steps[0], self.steps[1:])))
        else:
            try:
                task_self().resume()
            except AlreadyRunningError:
                print("running already")

task = task_self()
task.set_default("stderr", True)
assert task.default("stderr") and task.info("fanout") == 64
first = WorkerPopen("echo out; echo err >&2; exit 2", key="first", handler=Step("one", ["two", "three"]))
task.schedule(first)
task.run()
print(first.retcode())
first = task.run("echo out; echo err >&2", key="first")
print(first.read(), first.error(), task.key_error("first"))

left = task.shell("echo left; exit 1", nodes="n[1-2]", remote=False)
right = task.shell("echo right; exit 4", nodes="n[2-3]", remote=False)
task.run()
for worker in (left, right):
    for buf, nodes in worker.iter_buffers():
        print(buf.message().decode(), nodes, type(nodes).__name__)
    print([(rc, str(nodes)) for rc, nodes in worker.iter_retcodes()])
print(task.node_retcode("n2"), sorted(task.iter_retcodes(["n3"]))[-1])
try:
    task.node_retcode("n9")
except KeyError as exc:
    print("no such key", exc)
"""
SEVERAL_DONE = """\
one done
two done
three done
running already
2
b'out' b'err' b'err'
left n[1-2] NodeSet
[(1, 'n[1-2]')]
right n[2-3] NodeSet
[(4, 'n[2-3]')]
4 (4, ['n3'])
no such key 'n9'
"""

STREAMS = """
import os
import threading

class Echo(EventHandler):
    def ev_read(self, worker, node, sname, msg):
        print(node, sname, msg.decode())
        if sname == "console":
            worker.write(msg.upper() + b"\\n", sname="commands")
        else:
            worker.set_write_eof()

task = task_self()
(console, console_end), (answers, commands) = os.pipe(), os.pipe()
worker = StreamWorker(handler=Echo(), key="tty")
worker.set_reader("console", console)
worker.set_reader("answers", answers)
worker.set_writer("commands", commands, retain=False)
task.schedule(worker)

def type_in():
    os.write(console_end, b"hel")
    os.write(console_end, b"lo\\n")
    os.close(console_end)

typing = threading.Thread(target=type_in)
typing.start()
task.run()
typing.join()
print(task.max_retcode(), task.num_timeout())

reader, writer = os.pipe()
os.write(writer, b"plain\\nlast")
os.close(writer)
simple = WorkerSimple(os.fdopen(reader, "rb"), None, None, "key", None)
task.schedule(simple)
task.run()
print(simple.read(), task.key_buffer("key"))
"""
STREAMED = """\
tty console hello
tty answers HELLO
None 0
b'plain\\nlast' b'plain\\nlast'
"""

OTHER_THREADS = """
import threading

class Up(EventHandler):
    def __init__(self):
        self.up = threading.Event()

    def ev_read(self, worker, node, sname, msg):
        self.up.set()

def work(name, results):
    task = task_self()
    task.run("echo " + name, key=name)
    results[name] = task.key_buffer(name)

results = {}
threads = [threading.Thread(target=work, args=("t%d" % number, results)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sorted(results.items()))

task = Task()
handler = Up()
worker = task.shell("echo up; read line; echo $line", nodes="n1", remote=False, handler=handler)
task.resume()
handler.up.wait()
print(task.suspend())
task.resume()
worker.write(b"resumed\\n")
task_wait()
print(task.node_buffer("n1"), task.node_retcode("n1"))
task.shell("echo again", nodes="n1", remote=False)
task.resume()
task.join()
print(task.node_buffer("n1"))
task.abort(kill=True)
task.thread.join()
task_cleanup()
print(threading.active_count())
"""
OTHERS_DONE = """\
[('t0', b't0'), ('t1', b't1'), ('t2', b't2'), ('t3', b't3')]
True
b'up\\nresumed' 0
b'again'
1
"""

# The two that follow go over SSH; WAYS says how.
COPYING = """
import os

class Copied(EventHandler):
    def __init__(self):
        self.done = []

    def ev_start(self, worker):
        print("start", os.path.basename(worker.source))

    def ev_hup(self, worker, node, rc):
        self.done.append((node, rc))

    def ev_close(self, worker, timedout):
        print("closed", os.path.basename(worker.dest), timedout, sorted(self.done))

source = os.path.join(place, "app.conf")
there = os.path.join(place, "there.conf")
with open(source, "w") as file:
    file.write("port = 80\\n")
os.chmod(source, 0o640)
os.utime(source, (1000000000, 1000000000))

task = task_self()
task.set_info("fanout", 1)
worker = task.copy(source, there, "n[1-2]", handler=Copied(), timeout=30, preserve=True)
task.resume()
print(worker.nodes, [(rc, str(nodes)) for rc, nodes in worker.iter_retcodes()], worker.num_timeout())
task.shell("cat %s; stat -c '%%a %%Y' %s" % (there, there), nodes="n[1-2]", stdin=False)
task.run()
for buf, nodes in task.iter_buffers():
    print(NodeSet.fromlist(nodes), buf.message())

os.makedirs(os.path.join(place, "tree", "sub"))
with open(os.path.join(place, "tree", "sub", "file"), "w") as file:
    file.write("deep")
os.mkdir(os.path.join(place, "into"))
task.copy(os.path.join(place, "tree"), os.path.join(place, "into"), NodeSet("n1"))
task.run()
with open(os.path.join(place, "into", "tree", "sub", "file")) as file:
    print(file.read(), task.max_retcode())

worker = task.copy(source, os.path.join(place, "none", "app.conf"), "n1", stderr=True)
task.run()
print(worker.node_retcode("n1"), task.max_retcode(), task.node_buffer("n1"))
"""
COPIED = """\
start app.conf
closed there.conf False [('n1', 0), ('n2', 0)]
n[1-2] [(0, 'n[1-2]')] 0
n[1-2] b'port = 80\\n640 1000000000'
deep 0
1 1 b''
"""

FETCHING = """
import os

class Fetched(EventHandler):
    def __init__(self):
        self.heard = []

    def ev_pickup(self, worker):
        self.heard.append((worker.current_node, "pickup"))

    def ev_hup(self, worker):
        self.heard.append((worker.current_node, worker.current_rc))

    def ev_close(self, worker):
        for node in worker.nodes:
            print(node, [what for where, what in self.heard if where == node])

def show(name):
    with open(os.path.join(back, name)) as file:
        print(name, file.read())

back = os.path.join(place, "back")
os.makedirs(os.path.join(place, "logs", "old"))
os.mkdir(back)
for name in ("report", "logs/new", "logs/old/last"):
    with open(os.path.join(place, name), "w") as file:
        file.write("I am " + name)

task = task_self()
task.rcopy(os.path.join(place, "report"), back, "n[1-2]", handler=Fetched(), stderr=True)
task.run()
print(sorted(os.listdir(back)), task.max_retcode())
show("report.n2")

worker = task.rcopy(source=os.path.join(place, "logs"), dest=back, nodes=NodeSet("n1"), preserve=True)
task.run(30)
show("logs.n1/old/last")

task.schedule(WorkerSsh("n1", None, 30, source=os.path.join(place, "logs/new"), dest=back, reverse=True))
task.run()
show("new.n1")

worker = task.rcopy(os.path.join(place, "none"), back, "n1", handler=Fetched())
task.run()
print([(rc, str(nodes)) for rc, nodes in worker.iter_retcodes()], sorted(os.listdir(back)))
try:
    task.rcopy(os.path.join(place, "report"), os.path.join(place, "nowhere"), "n1")
except ValueError:
    print("no such directory")
"""
FETCHED = """\
n1 ['pickup', 0]
n2 ['pickup', 0]
['report.n1', 'report.n2'] 0
report.n2 I am report
logs.n1/old/last I am logs/old/last
new.n1 I am logs/new
n1 ['pickup', 1]
[(1, 'n1')] ['logs.n1', 'new.n1', 'report.n1', 'report.n2']
no such directory
"""

SCRIPTS = {
    "gather": (GATHER, GATHERED),
    "old signatures": (OLD_SIGNATURES, OLD_SIGNED),
    "timers": (TIMERS, TIMED),
    "ports": (PORTS, PORTED),
    "writing": (WRITING, WRITTEN),
    "timeouts": (TIMEOUTS, TIMED_OUT),
    "several workers": (SEVERAL, SEVERAL_DONE),
    "streams": (STREAMS, STREAMED),
    "other threads": (OTHER_THREADS, OTHERS_DONE),
}
# Its tasks lose results when several threads run theirs at once, and its suspend() may break the task.
NOT_THEIRS = {"other threads"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_as_written(name: str) -> None:
    """With the imports of asynctask.sync: its whole output, and not a warning."""
    script, output = SCRIPTS[name]
    done = run_program(OURS + script, "-W", "error")
    assert (done.stdout, done.stderr, done.returncode) == (output, "", 0)


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in NOT_THEIRS])
def test_it_is_a_script_for_clustershell(name: str) -> None:
    """With the imports of ClusterShell it prints the same."""
    script, output = SCRIPTS[name]
    done = run_program(THEIRS + script, "-W", "ignore")
    assert (done.stdout, done.stderr, done.returncode) == (output, "", 0)


# -- over SSH -------------------------------------------------------------------------------------------

OVER_SSH = {"copying": (COPYING, COPIED), "fetching": (FETCHING, FETCHED)}
BY_PROGRAM = """
task_self().set_info("ssh_options", "-F " + configuration)
"""
WAYS = {
    "ours": OURS,
    "ours by ssh": f"{OURS}\ntask_self().set_default('distant_workername', 'openssh'){BY_PROGRAM}",
    "theirs": THEIRS + BY_PROGRAM,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OVER_SSH)
def test_a_script_that_copies(name: str, way: str, tmp_path: Path, ssh_nodes: tuple[str, ...]) -> None:
    """In this process, by the program ``ssh``, and with ClusterShell's imports by ``ssh`` and ``scp``."""
    script, output = OVER_SSH[name]
    place = tmp_path / "place"
    place.mkdir()
    configuration = tmp_path / ".ssh" / "config"
    where = f"place, configuration = {str(place)!r}, {str(configuration)!r}\n"
    done = run_program(where + WAYS[way] + script, "-W", "ignore" if way == "theirs" else "error")
    assert (done.stdout, done.stderr, done.returncode) == (output, "", 0)
