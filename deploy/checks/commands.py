"""The kubectl commands that people use with the pipeline, run by the real kubectl against a stand-in for an API server.

The stand-in holds objects in memory. It refuses what a cluster refuses of a manifest: an object that does not fit its
schema, one in a namespace that is not there yet, a pod whose account, configuration, secret or claim is missing. For
each Deployment it makes as many pods as it has replicas. It schedules and runs nothing.
"""

import copy
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.parse

import kubernetes_validate
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KINDS = {
    "": {
        "namespaces": "Namespace",
        "configmaps": "ConfigMap",
        "secrets": "Secret",
        "services": "Service",
        "serviceaccounts": "ServiceAccount",
        "persistentvolumeclaims": "PersistentVolumeClaim",
        "pods": "Pod",
        "events": "Event",
    },
    "apps": {"deployments": "Deployment", "statefulsets": "StatefulSet"},
    "policy": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "networking.k8s.io": {"networkpolicies": "NetworkPolicy"},
}
SHORT = {"pods": ["po"], "deployments": ["deploy"], "services": ["svc"]}


def root_of(group):
    return f"/apis/{group}/v1" if group else "/api/v1"


def status(code, reason, message):
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": code,
    }
    return code, body


def resources(group):
    return [
        {
            "name": name,
            "singularName": kind.lower(),
            "namespaced": kind != "Namespace",
            "kind": kind,
            "shortNames": SHORT.get(name, []),
            "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
        }
        for name, kind in KINDS[group].items()
    ]


def openapi(group):
    """As much as kubectl asks of it: that the server itself validates the fields of a patch or a new object."""
    parameter = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
    paths = {}
    for name, kind in KINDS[group].items():
        where = "" if kind == "Namespace" else "/namespaces/{namespace}"
        operation = {
            "parameters": [parameter],
            "x-kubernetes-group-version-kind": {"group": group, "version": "v1", "kind": kind},
            "responses": {},
        }
        paths[f"{root_of(group)}{where}/{name}/{{name}}"] = {"patch": operation}
    return {"openapi": "3.0.0", "info": {"title": "stand-in", "version": "1"}, "paths": paths}


class Cluster:
    """The objects by namespace, kind and name."""

    def __init__(self):
        self.objects = {}

    def missing_for(self, namespace, pod):
        """What a pod needs and does not find."""
        spec = pod["spec"]
        wanted = [("ServiceAccount", spec["serviceAccountName"])]
        for container in spec["containers"]:
            wanted += [("ConfigMap", source["configMapRef"]["name"]) for source in container.get("envFrom", [])]
        for volume in spec.get("volumes", []):
            if "secret" in volume:
                wanted.append(("Secret", volume["secret"]["secretName"]))
            if "persistentVolumeClaim" in volume:
                wanted.append(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))
        return [f"{kind} {name}" for kind, name in wanted if (namespace, kind, name) not in self.objects]

    def create(self, namespace, item):
        name = item["metadata"]["name"]
        if item["kind"] != "Namespace" and (None, "Namespace", namespace) not in self.objects:
            return status(404, "NotFound", f'namespaces "{namespace}" not found')
        try:
            kubernetes_validate.validate(item, kubernetes_validate.latest_version(), strict=True)
        except kubernetes_validate.ValidationError as error:
            return status(400, "BadRequest", f"strict decoding error: {error.message}")
        item["metadata"] |= {"uid": f"uid-{len(self.objects)}", "resourceVersion": "1"}
        self.objects[(namespace, item["kind"], name)] = item
        return 201, item

    def run_pods(self):
        """A pod for each replica of each Deployment; called when all is applied, as a cluster would come to it."""
        faults = []
        for (namespace, kind, name), item in list(self.objects.items()):
            if kind != "Deployment":
                continue
            template = copy.deepcopy(item["spec"]["template"])
            faults += [f"{name}: there is no {what}" for what in self.missing_for(namespace, template)]
            for number in range(item["spec"]["replicas"]):
                pod = copy.deepcopy(template) | {"apiVersion": "v1", "kind": "Pod"}
                pod["metadata"] |= {"name": f"{name}-{number}", "namespace": namespace, "uid": f"{name}-{number}"}
                pod["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
                self.objects[(namespace, "Pod", pod["metadata"]["name"])] = pod
        return faults

    def listed(self, namespace, kind, query):
        selector = dict(part.split("=", 1) for part in query.get("labelSelector", [""])[0].split(",") if part)
        return [
            item
            for (place, found, _), item in self.objects.items()
            if found == kind
            and namespace in (None, place)
            and all(item["metadata"].get("labels", {}).get(key) == value for key, value in selector.items())
        ]


def table(pods):
    columns = ["Name", "Ready", "Status", "Restarts"]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "1"},
        "columnDefinitions": [
            {"name": name, "type": "string", "format": "", "description": "", "priority": 0} for name in columns
        ],
        "rows": [
            {"cells": [pod["metadata"]["name"], "1/1", pod["status"]["phase"], "0"], "object": partial(pod)}
            for pod in pods
        ],
    }


def partial(item):
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster = None

    def log_message(self, *_):
        pass

    def answer(self, code, body):
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def place(self):
        """(group, namespace, kind, name, what is asked of it) of the request's path; None where it is no object's."""
        parts = urllib.parse.urlparse(self.path).path.strip("/").split("/")
        group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
        namespace = None
        if len(rest) > 2 and rest[0] == "namespaces" and rest[2] in KINDS.get(group, {}):
            namespace, rest = rest[1], rest[2:]
        kind = KINDS.get(group, {}).get(rest[0]) if rest else None
        return group, namespace, kind, rest[1] if len(rest) > 1 else None, rest[2] if len(rest) > 2 else None

    def discovery(self, path):
        groups = [group for group in KINDS if group]
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            versions = {group: {"groupVersion": f"{group}/v1", "version": "v1"} for group in groups}
            entries = [
                {"name": group, "versions": [version], "preferredVersion": version}
                for group, version in versions.items()
            ]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": entries}
        if path == "/openapi/v3":
            return {
                "paths": {
                    root_of(group).strip("/"): {"serverRelativeURL": f"/openapi/v3{root_of(group)}"} for group in KINDS
                }
            }
        for group in KINDS:
            if path == root_of(group):
                version = f"{group}/v1" if group else "v1"
                return {"kind": "APIResourceList", "groupVersion": version, "resources": resources(group)}
            if path == f"/openapi/v3{root_of(group)}":
                return openapi(group)
        return None

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        query = urllib.parse.parse_qs(url.query)
        found = self.discovery(url.path)
        if found is not None:
            return self.answer(200, found)
        if not url.path.startswith(("/api/", "/apis/")):
            return self.answer(*status(404, "NotFound", url.path))
        group, namespace, kind, name, asked = self.place()
        version = f"{group}/v1" if group else "v1"
        if name is None:
            items = self.cluster.listed(namespace, kind, query)
            if kind == "Pod" and "as=Table" in self.headers.get("Accept", ""):
                return self.answer(200, table(items))
            return self.answer(200, {"kind": f"{kind}List", "apiVersion": version, "metadata": {}, "items": items})
        item = self.cluster.objects.get((namespace, kind, name))
        if item is None:
            return self.answer(*status(404, "NotFound", f'{kind} "{name}" not found'))
        if asked == "log":
            return self.answer(200, f"log of {name}\n")
        return self.answer(200, item)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def do_POST(self):
        _, namespace, _, _, _ = self.place()
        self.answer(*self.cluster.create(namespace, self.body()))

    def do_PATCH(self):
        _, namespace, kind, name, _ = self.place()
        item = self.cluster.objects[(namespace, kind, name)]

        def merge(old, new):
            for key, value in new.items():
                if isinstance(value, dict) and isinstance(old.get(key), dict):
                    merge(old[key], value)
                else:
                    old[key] = value

        merge(item, self.body())
        self.answer(200, item)


def main():
    problems = []
    Handler.cluster = cluster = Cluster()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": f"{home}/none"}

        def kubectl(*arguments):
            command = ["kubectl", f"--server=http://127.0.0.1:{server.server_port}", *arguments]
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
            if done.returncode != 0:
                problems.append(f"kubectl {' '.join(arguments)}: {done.stderr.strip()[-600:]}")
            return done.stdout.splitlines()

        def expect(command, found, wanted):
            if found != wanted:
                problems.append(f"kubectl {command} gives {found}, not {wanted}")

        apply = ["apply", "-k", "apps/order-pipeline/"]
        created = kubectl(*apply)
        rendered = subprocess.run(
            ["kubectl", "kustomize", "apps/order-pipeline"], cwd=ROOT, capture_output=True, check=True
        )
        count = len([item for item in yaml.safe_load_all(rendered.stdout) if item])
        expect(" ".join(apply), len([line for line in created if line.endswith(" created")]), count)
        again = kubectl(*apply)
        expect("apply a second time", len([line for line in again if line.endswith(" unchanged")]), count)
        problems += cluster.run_pods()

        pods = kubectl("get", "pods", "-n", "order-pipeline")
        services = [
            "order-generator",
            "payment-service",
            "payment-service",
            "fulfillment-service",
            "notification-service",
        ]
        expect("get pods", sorted(line.split()[0].rsplit("-", 1)[0] for line in pods[1:]), sorted(services))
        for service in sorted(set(services)):
            logs = kubectl("logs", "-n", "order-pipeline", "-l", f"app={service}")
            expect(f"logs -l app={service}", len(logs), services.count(service))
            expect(f"logs -l app={service}", [line for line in logs if f"log of {service}" not in line], [])
        described = kubectl("describe", "pod", "-n", "order-pipeline", "payment-service-0")
        expect("describe pod", any("payment-service" in line for line in described), True)
        restarted = kubectl("-n", "order-pipeline", "rollout", "restart", "deployment")
        expect("rollout restart", len([line for line in restarted if line.endswith(" restarted")]), len(set(services)))
    server.shutdown()
    for line in problems:
        print(f"PROBLEM {line}", file=sys.stderr)
    if not problems:
        print(f"  apply -k ({count} objects, and a second time nothing), get pods, logs, describe, rollout restart")
    sys.exit(1 if problems else 0)


main()
