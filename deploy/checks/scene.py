"""A private broker, services and Prometheus on loopback, for the checks against live systems. Everything ends with its
scope.

The broker runs with the configuration that deploy/rabbitmq ships, Prometheus with the rules and the jobs that
deploy/prometheus ships; only ports and intervals are other.
"""

import base64
import contextlib
import glob
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
APPS = {
    "generator": "order-generator",
    "payment": "payment-service",
    "fulfillment": "fulfillment-service",
    "notification": "notification-service",
}
SCRAPE_SECONDS = 2
USER, PASSWORD = "admin", "change-me"


def free_ports(count):
    """Ports that nothing listens on now, outside those that the broker's command-line tools use."""
    found, sockets = [], []
    while len(found) < count:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        sockets.append(listener)
        port = listener.getsockname()[1]
        if not 35672 <= port <= 35682:
            found.append(port)
    for listener in sockets:
        listener.close()
    return found


def free_row(count):
    """The first of so many free ports in a row."""
    while True:
        (first,) = free_ports(1)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, OverflowError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


def wait_until(what, condition, seconds):
    """Asks again and again until the answer is true; the last answer."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise SystemExit(f"waited {seconds} s in vain for {what}")
        time.sleep(0.2)


class Process:
    """A child in a session of its own, with its output in a file."""

    def __init__(self, name, arguments, folder, environment):
        self.name = name
        self.output = pathlib.Path(folder, f"{name}.out")
        with open(self.output, "ab") as output:
            self.child = subprocess.Popen(
                arguments,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def signal(self, number):
        os.kill(self.child.pid, number)

    def stop(self, seconds=40):
        """SIGTERM and the exit code; whatever does not go is killed, with all its children."""
        if self.child.poll() is None:
            self.child.terminate()
            # A process that is frozen takes its signal once it goes on.
            self.child.send_signal(signal.SIGCONT)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            return self.child.wait()

    def tail(self, lines=6):
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-lines:])


class Broker:
    """One RabbitMQ node of Debian's package with the shipped configuration."""

    def __init__(self, folder):
        installed = sorted(glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"))
        if not installed:
            raise SystemExit("no RabbitMQ server is installed; run scripts/setup")
        self.sbin = pathlib.Path(installed[-1])
        self.folder = pathlib.Path(folder, "broker")
        shipped = ROOT / "deploy/rabbitmq/statefulset"
        configuration = self.folder / "conf.d"
        configuration.mkdir(parents=True)
        self.port, distribution, epmd, self.management, self.metrics = free_ports(5)
        (configuration / "10-rabbitmq.conf").write_text((shipped / "rabbitmq.conf").read_text())
        secret = yaml.safe_load((shipped / "credentials.yaml").read_text())
        (configuration / "20-default-user.conf").write_text(secret["stringData"]["default_user.conf"])
        (configuration / "30-loopback.conf").write_text(
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self.management}\n"
            f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {self.metrics}\n"
        )
        (self.folder / "enabled_plugins").write_text((shipped / "enabled_plugins").read_text())
        (self.folder / "main.conf").write_text("")
        place = str(self.folder)
        self.environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": place,
            "RABBITMQ_NODENAME": f"observed{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": f"{place}/mnesia",
            "RABBITMQ_LOG_BASE": f"{place}/log",
            "RABBITMQ_CONFIG_FILE": f"{place}/main.conf",
            "RABBITMQ_CONFIG_FILES": str(configuration),
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{place}/generated",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{place}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{place}/enabled_plugins",
            "RABBITMQ_FEATURE_FLAGS_FILE": f"{place}/feature_flags",
            "RABBITMQ_PID_FILE": f"{place}/pid",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        self.epmd = Process("epmd", ["epmd"], folder, self.environment)
        self.server = Process("rabbitmq", [str(self.sbin / "rabbitmq-server")], folder, self.environment)

    def wait(self):
        def answers():
            if self.server.child.poll() is not None:
                raise SystemExit(f"the broker ended:\n{self.server.tail()}")
            with contextlib.suppress(OSError, urllib.error.HTTPError):
                return self.api("GET", "overview") and self.metrics_text()
            return False

        wait_until("the broker", answers, 90)

    def metrics_text(self):
        return get(f"http://127.0.0.1:{self.metrics}/metrics")

    def control(self, *arguments):
        subprocess.run(
            [str(self.sbin / "rabbitmqctl"), "--quiet", *arguments],
            env=self.environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def api(self, method, path, body=None):
        """A request to the management API."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.management}/api/{path}", method=method)
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, None if body is None else json.dumps(body).encode(), timeout=10) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def stop(self):
        self.server.stop(60)
        self.epmd.stop(5)


def get(url, timeout=10):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def pipeline_program(builds=("release", "debug")):
    """The built command: PIPELINE_RUN, else the newest of the builds."""
    named = os.environ.get("PIPELINE_RUN")
    places = [pathlib.Path(named)] if named else [ROOT / ".build" / build / "pipeline-run" for build in builds]
    found = [place.resolve() for place in places if os.access(place, os.X_OK)]
    if not found:
        raise SystemExit("there is no pipeline-run; run scripts/build, or name one in PIPELINE_RUN")
    return str(max(found, key=lambda place: place.stat().st_mtime))


class Scene:
    """The broker first, then whatever a check starts; all of it ends in reverse order."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.processes = []
        self.broker = Broker(folder)
        self.targets = {}
        self.prometheus_port = None

    def environment(self):
        """The shipped ConfigMap, as the pods get it, on this broker."""
        documents = yaml.safe_load_all((ROOT / "apps/order-pipeline/configmap.yaml").read_text())
        settings, secret = list(documents)
        password = self.folder / "password"
        password.write_text(secret["stringData"]["password"])
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            **settings["data"],
            "RABBITMQ_HOST": "127.0.0.1",
            "RABBITMQ_PORT": str(self.broker.port),
            "RABBITMQ_PASSWORD_FILE": str(password),
        }

    def start(self, name, arguments, environment=None):
        process = Process(name, arguments, self.folder, environment or self.environment())
        self.processes.append(process)
        return process

    def service(self, name, role, port, *arguments):
        """A service as a process of its own. Payments succeed: chance must raise no alert."""
        settings = {**self.environment(), "PIPELINE_SUCCESS_RATE": "1"}
        return self.start(
            name,
            [
                pipeline_program(),
                role,
                "--metrics-port",
                str(port),
                "--metrics-address",
                "127.0.0.1",
                "--log-format",
                "json",
                "--state-dir",
                str(self.folder / f"state-{name}"),
                *arguments,
            ],
            settings,
        )

    def wait_ready(self, process, port):
        def ready():
            if process.child.poll() is not None:
                raise SystemExit(f"{process.name} ended with {process.child.returncode}:\n{process.tail()}")
            with contextlib.suppress(OSError):
                get(f"http://127.0.0.1:{port}/readyz", 2)
                return True
            return False

        wait_until(f"{process.name} to be ready", ready, 60)

    def write_targets(self):
        """What Prometheus scrapes of the pipeline, as its service discovery would say it: {port: app}."""
        entries = [{"targets": [f"127.0.0.1:{port}"], "labels": {"app": app}} for port, app in self.targets.items()]
        draft = self.folder / "targets.new"
        draft.write_text(json.dumps(entries))
        draft.rename(self.folder / "targets.json")

    def take_in(self, port, app):
        """Makes a service a target, and waits until Prometheus has its metrics."""
        self.targets[port] = app
        self.write_targets()
        query = f'up{{instance="127.0.0.1:{port}"}} == 1'
        wait_until(f"Prometheus to find {app}", lambda: self.prometheus("query", query=query)["result"], 60)

    def leave_out(self, port):
        """As Kubernetes does it: a pod that ends is no target any more."""
        del self.targets[port]
        self.write_targets()

        def forgotten():
            targets = self.prometheus("targets", state="active")["activeTargets"]
            return all(target["labels"]["instance"] != f"127.0.0.1:{port}" for target in targets)

        wait_until("Prometheus to forget a target", forgotten, 60)

    def start_prometheus(self, rules=ROOT / "deploy/prometheus/rules/order-pipeline.yml"):
        """The shipped local.yml with this scene's ports and short intervals, and the shipped rules or others."""
        configuration = yaml.safe_load((ROOT / "deploy/prometheus/local.yml").read_text())
        interval = f"{SCRAPE_SECONDS}s"
        configuration["global"] = {
            "scrape_interval": interval,
            "scrape_timeout": interval,
            "evaluation_interval": interval,
        }
        configuration["rule_files"] = [str(rules)]
        for job in configuration["scrape_configs"]:
            if job["job_name"] == "order-pipeline":
                del job["static_configs"]
                job["file_sd_configs"] = [{"files": [str(self.folder / "targets.json")], "refresh_interval": "1s"}]
            else:
                job["static_configs"] = [{"targets": [f"127.0.0.1:{self.broker.metrics}"]}]
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        self.write_targets()
        (self.prometheus_port,) = free_ports(1)
        self.start(
            "prometheus",
            [
                "prometheus",
                f"--config.file={self.folder}/prometheus.yml",
                f"--storage.tsdb.path={self.folder}/tsdb",
                f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
            ],
        )

        def answers():
            with contextlib.suppress(OSError):
                return get(f"http://127.0.0.1:{self.prometheus_port}/-/ready")
            return False

        wait_until("Prometheus", answers, 60)

    def prometheus(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        return json.loads(get(f"http://127.0.0.1:{self.prometheus_port}/api/v1/{path}?{query}", 30))["data"]

    def close(self):
        for process in reversed(self.processes):
            process.stop()
        self.broker.stop()


@contextlib.contextmanager
def scene():
    """A scene in a temporary folder, whose broker is ready; when a check fails, everyone's last words are shown."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="observe-") as folder:
        stage = Scene(folder)
        try:
            stage.broker.wait()
            yield stage
        except BaseException as error:
            failed = not (isinstance(error, SystemExit) and error.code == 0)
            for process in {process.name: process for process in stage.processes}.values() if failed else []:
                print(f"--- {process.name}\n{process.tail()}", file=sys.stderr)
            raise
        finally:
            stage.close()
