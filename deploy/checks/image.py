"""Builds the image, runs its services as the manifests say on a private broker, and stops them with SIGTERM.

Both bases are made here from Debian's packages: a runtime with no more in it than the shipped default has (glibc,
libstdc++, CA certificates), and, for a full build, a builder that has this machine's Swift toolchain mounted. `image.py
prebuilt` puts a binary that is built already (PIPELINE_RUN, else .build/release/pipeline-run) in place of the first
stage.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error

import yaml

from scene import APPS, PASSWORD, ROOT, free_ports, get, pipeline_program, scene, wait_until

IMAGE = "localhost/order-pipeline:check"
RUNTIME = "localhost/order-pipeline-check-runtime"
BUILDER = "localhost/order-pipeline-check-builder"
# What Swift's own installation guide asks of Debian 12, beside what the Containerfile installs itself.
TOOLCHAIN_NEEDS = (
    "binutils binutils-gold ca-certificates gcc git libc6-dev libcurl4-openssl-dev libedit2 libgcc-12-dev "
    "libncurses6 libpython3.11 libsqlite3-0 libstdc++-12-dev libxml2-dev libz3-dev tzdata zlib1g-dev"
)

# By port, what a consumer logs once it is registered: people look for it.
WAITING = {8001: ["orders"], 8002: ["payments"], 8003: ["orders", "payments", "shipments"]}
# podman asks for more than every machine may grant, and fails there.
LIMITS = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]


def run(*arguments, **options):
    result = subprocess.run(arguments, capture_output=True, text=True, **options)
    if result.returncode != 0:
        sys.exit(f"PROBLEM {' '.join(arguments[:4])} …: {(result.stdout + result.stderr)[-3000:]}")
    return result.stdout.strip()


def exists(image):
    return subprocess.run(["podman", "image", "exists", image]).returncode == 0


def import_base(name, variant, packages, change=()):
    """A Debian of these packages as an image; kept, since it takes a while."""
    if exists(name):
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = f"{folder}/base.tar"
        run(
            "mmdebstrap",
            "--quiet",
            f"--variant={variant}",
            f"--include={','.join(packages.split())}",
            "bookworm",
            archive,
        )
        run("podman", "import", "--quiet", *[part for line in change for part in ("--change", line)], archive, name)


def build_prebuilt(revision):
    with tempfile.TemporaryDirectory() as folder:
        run("deploy/image/collect", pipeline_program(["release"]), f"{folder}/image", cwd=ROOT)
        # A context of the stage's name takes the stage's place.
        run(
            "buildah",
            "build",
            "--format=docker",
            "--file=deploy/image/Containerfile",
            f"--build-arg=RUNTIME_IMAGE={RUNTIME}",
            f"--build-arg=BUILDER_IMAGE={RUNTIME}",
            f"--build-arg=REVISION={revision}",
            f"--build-context=build={folder}",
            f"--tag={IMAGE}",
            ".",
            cwd=ROOT,
        )


def build_full(revision):
    """The build that `make image` does, with the toolchain and the folders git takes packages from mounted."""
    swift = shutil.which("swift") or sys.exit("PROBLEM there is no Swift toolchain in PATH")
    toolchain = pathlib.Path(os.path.realpath(swift)).parents[2]
    import_base(
        BUILDER,
        "apt",
        TOOLCHAIN_NEEDS,
        [f"ENV PATH={toolchain}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin", "ENV HOME=/root"],
    )
    volumes = [f"{toolchain}:{toolchain}:ro"]
    with tempfile.TemporaryDirectory() as folder:
        settings = subprocess.run(
            ["git", "config", "--get-regexp", r"^url\..*\.insteadof$"], capture_output=True, text=True
        ).stdout
        configuration = pathlib.Path(folder, "gitconfig")
        configuration.write_text("[safe]\n\tdirectory = *\n")
        for line in settings.splitlines():
            key, _, prefix = line.partition(" ")
            place = key.removeprefix("url.").removesuffix(".insteadof")
            if place.startswith("/"):
                with configuration.open("a") as file:
                    file.write(f'[url "{place}"]\n\tinsteadOf = {prefix}\n')
                volumes.append(f"{place.rstrip('/')}:{place.rstrip('/')}:ro")
        volumes.append(f"{configuration}:/etc/gitconfig:ro")
        command = [
            "buildah",
            "build",
            "--format=docker",
            "--runtime=runc",
            "--network=host",
            "--file=deploy/image/Containerfile",
            f"--build-arg=RUNTIME_IMAGE={RUNTIME}",
            f"--build-arg=BUILDER_IMAGE={BUILDER}",
            f"--build-arg=REVISION={revision}",
            *[f"--volume={volume}" for volume in dict.fromkeys(volumes)],
            f"--tag={IMAGE}",
            ".",
        ]
        if subprocess.run(command, cwd=ROOT, stdout=sys.stderr).returncode != 0:
            sys.exit("PROBLEM the image does not build")


def deployments():
    documents = yaml.safe_load_all((ROOT / "apps/order-pipeline/deployments.yaml").read_text())
    return [document for document in documents if document["kind"] == "Deployment"]


class Container:
    """A service as its Deployment says: arguments, user, limits, read-only root, no capabilities, secrets as files."""

    def __init__(self, stage, deployment):
        pod = deployment["spec"]["template"]["spec"]
        container = pod["containers"][0]
        self.name = f"check-{os.getpid()}-{deployment['metadata']['name']}"
        self.port = container["ports"][0]["containerPort"]
        # The host's network is the containers' here, and its own ports may be taken.
        (self.here,) = free_ports(1)
        self.grace = pod["terminationGracePeriodSeconds"]
        environment = {
            key: value for key, value in stage.environment().items() if key.startswith(("RABBITMQ_", "PIPELINE_"))
        }
        environment["PIPELINE_METRICS_ADDRESS"] = "127.0.0.1"
        environment["PIPELINE_METRICS_PORT"] = str(self.here)
        environment["RABBITMQ_PASSWORD_FILE"] = "/run/secrets/rabbitmq/password"
        os.chmod(stage.folder / "password", 0o444)
        security, limits = container["securityContext"], container["resources"]["limits"]
        assert security["readOnlyRootFilesystem"] and security["capabilities"]["drop"] == ["ALL"]
        run(
            "podman",
            "run",
            "--detach",
            "--runtime=runc",
            f"--name={self.name}",
            "--network=host",
            "--read-only",
            "--read-only-tmpfs=false",
            "--cap-drop=all",
            "--security-opt=no-new-privileges",
            *LIMITS,
            f"--user={pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}",
            f"--memory={limits['memory'].removesuffix('i')}",
            *[f"--env={key}={value}" for key, value in environment.items()],
            f"--volume={stage.folder}/password:/run/secrets/rabbitmq/password:ro",
            "--mount=type=tmpfs,destination=/var/lib/order-pipeline,tmpfs-mode=1777",
            IMAGE,
            *container["args"],
        )

    def wait_ready(self):
        def ready():
            try:
                return get(f"http://127.0.0.1:{self.here}/readyz", 2) is not None
            except (OSError, urllib.error.URLError):
                if run("podman", "inspect", "--format={{.State.Running}}", self.name) != "true":
                    sys.exit(f"PROBLEM {self.name} ended:\n{self.logs()}")
                return False

        wait_until(f"{self.name} to be ready", ready, 60)

    def metric(self, name):
        text = get(f"http://127.0.0.1:{self.here}/metrics")
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))

    def logs(self, lines=15):
        result = subprocess.run(["podman", "logs", f"--tail={lines}", self.name], capture_output=True, text=True)
        return result.stdout + result.stderr

    def stop(self):
        """SIGTERM; the exit code and the seconds that it took."""
        began = time.monotonic()
        run("podman", "stop", f"--time={self.grace}", self.name)
        return int(run("podman", "inspect", "--format={{.State.ExitCode}}", self.name)), time.monotonic() - began

    def remove(self):
        subprocess.run(["podman", "rm", "--force", "--time=0", self.name], capture_output=True)


def run_as_any_user(stage):
    """Keeps state in the image's own folder as a user that the image does not know, as on OpenShift."""
    settings = {key: value for key, value in stage.environment().items() if key.startswith("RABBITMQ_")}
    (stage.folder / "any-user").write_text(settings.pop("RABBITMQ_PASSWORD", PASSWORD))
    os.chmod(stage.folder / "any-user", 0o444)
    settings["RABBITMQ_PASSWORD_FILE"] = "/run/secrets/rabbitmq/password"
    run(
        "podman",
        "run",
        "--rm",
        "--runtime=runc",
        "--network=host",
        "--user=1000680000:0",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        *LIMITS,
        *[f"--env={key}={value}" for key, value in settings.items()],
        "--env=PIPELINE_METRICS_ADDRESS=127.0.0.1",
        f"--env=PIPELINE_METRICS_PORT={free_ports(1)[0]}",
        f"--volume={stage.folder}/any-user:/run/secrets/rabbitmq/password:ro",
        IMAGE,
        "generator",
        "--speed=max",
        "--max-orders=3",
    )
    print("  a user that the image does not know kept its orders in the image's own folder")


def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else "full"
    if mode not in ("full", "prebuilt"):
        sys.exit("usage: image.py [full|prebuilt]")
    revision = run("git", "rev-parse", "--short", "HEAD", cwd=ROOT)
    import_base(RUNTIME, "extract", "base-files ca-certificates libc6 libgcc-s1 libstdc++6 netbase tzdata")
    (build_full if mode == "full" else build_prebuilt)(revision)
    facts = json.loads(run("podman", "image", "inspect", IMAGE))[0]
    base = json.loads(run("podman", "image", "inspect", RUNTIME))[0]
    if (
        facts["Config"]["User"] != "65532:0"
        or facts["Config"]["Labels"]["org.opencontainers.image.revision"] != revision
    ):
        sys.exit(f"PROBLEM the image's user or revision is another: {facts['Config']}")
    print(f"  image ({mode}): {facts['Size'] / 1e6:.0f} MB, of which {base['Size'] / 1e6:.0f} MB are the base")
    shown = run(
        "podman", "run", "--rm", "--runtime=runc", *LIMITS, "--network=none", "--cap-drop=all", IMAGE, "--version"
    )
    if revision not in shown:
        sys.exit(f"PROBLEM --version says {shown!r}, without the revision {revision}")

    with scene() as stage:
        containers = []
        try:
            # The generator last, so that the others are measured with nothing to do.
            for deployment in sorted(deployments(), key=lambda item: item["metadata"]["name"] == APPS["generator"]):
                container = Container(stage, deployment)
                containers.append(container)
                container.wait_ready()
            time.sleep(3)
            for container in containers:
                role = container.name.split("-", 2)[2]
                print(f"  {role}: {container.metric('process_resident_memory_bytes') / 1e6:.1f} MB resident, idle")
            by_port = {container.port: container for container in containers}
            wait_until(
                "a notice of each kind to be sent", lambda: by_port[8003].metric("notifications_sent_total") >= 3, 90
            )
            if by_port[8000].metric("orders_generated_total") < 1:
                sys.exit("PROBLEM notices, and no order")
            for container in containers:
                logs = container.logs(-1)
                for words in WAITING.get(container.port, []):
                    if f"Waiting for {words}..." not in logs:
                        sys.exit(
                            f"PROBLEM {container.name} does not say that it waits for {words}:\n{container.logs()}"
                        )
                if "ERROR" in logs:
                    sys.exit(f"PROBLEM {container.name} logs an error:\n{container.logs()}")
                code, seconds = container.stop()
                if code != 0 or seconds > container.grace:
                    sys.exit(f"PROBLEM {container.name} ended with {code} after {seconds:.0f} s:\n{container.logs()}")
            run_as_any_user(stage)
            print("  every service ran as uid 65532 on a read-only root without capabilities, and drained on SIGTERM")
        finally:
            for container in containers:
                container.remove()


main()
