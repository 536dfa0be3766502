"""Renders everything below apps/ and deploy/ that can be applied, and checks what comes out.

Each overlay is rendered as it stands, each component on deploy/base. Built-in kinds are checked strictly against
Kubernetes' own schemas, custom resources against those in the folder that CRD_SCHEMAS names. The rest checks what no
schema can: that objects fit together, and that names and numbers are those that the pipeline's users rely on.
"""

import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema
import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / ".build" / "deploy-check"

# The oldest Kubernetes that all fields exist in, and the newest that the schemas know.
KUBERNETES = ["1.29", kubernetes_validate.latest_version()]

SERVICES = {
    "order-generator": ("generator", 8000, 1),
    "payment-service": ("payment", 8001, 2),
    "fulfillment-service": ("fulfillment", 8002, 1),
    "notification-service": ("notification", 8003, 1),
}

# Made by whoever deploys, and so in no rendering.
BROUGHT_BY_THE_USER = {("production", "Secret", "rabbitmq-credentials")}


def sources(path, pattern):
    """What the pattern's group matches in a source file of the project, which must have it."""
    return re.findall(pattern, (ROOT / path).read_text()) or sys.exit(
        f"{path} has nothing like {pattern}; has it moved?"
    )


VERSION = sources("Sources/Pipeline/Operations/BuildInfo.swift", r'static let version = "(.+)"')[0]
SETTINGS = {
    "PIPELINE_" + flag.upper().replace("-", "_")
    for flag in sources("Sources/pipeline-run/Configuration/Settings.swift", r'Setting(?:<[^(]*>)?\(\s*"([a-z-]+)"')
}

problems = []


def problem(where, what):
    problems.append(f"{where}: {what}")


def name_of(item):
    return f"{item['kind']} {item['metadata']['name']}"


# Rendering


def render(folder):
    result = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True)
    if result.returncode != 0:
        problem(folder, f"does not render: {result.stderr.strip()}")
        return []
    if result.stderr.strip():
        problem(folder, f"renders with a warning: {result.stderr.strip()}")
    return [item for item in yaml.safe_load_all(result.stdout) if item]


def renderings():
    """Every kustomization by a short name, with what it renders to."""
    found = {}
    for file in sorted([*ROOT.glob("apps/**/kustomization.yaml"), *ROOT.glob("deploy/**/kustomization.yaml")]):
        head = yaml.safe_load(file.read_text())
        folder = file.parent
        name = str(folder.relative_to(ROOT)).removeprefix("deploy/")
        if head.get("kind") == "Component":
            on_base = WORK / name
            on_base.mkdir(parents=True, exist_ok=True)
            (on_base / "kustomization.yaml").write_text(
                yaml.safe_dump(
                    {
                        "apiVersion": "kustomize.config.k8s.io/v1beta1",
                        "kind": "Kustomization",
                        "resources": [os.path.relpath(ROOT / "deploy" / "base", on_base)],
                        "components": [os.path.relpath(folder, on_base)],
                    }
                )
            )
            folder = on_base
        found[name] = render(folder)
    return found


# Schemas


def is_built_in(item):
    group = item["apiVersion"].rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def close(schema):
    """The schema with every unknown field refused, as Kubernetes does it under strict validation."""
    if isinstance(schema, list):
        return [close(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: close(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


def custom_schema(folder, item):
    group, _, version = item["apiVersion"].rpartition("/")
    file = folder / f"{group}_{version}_{item['kind'].lower()}.json"
    if not file.exists():
        return None
    schema = close(json.loads(file.read_text()))
    schema["properties"]["metadata"] = {}
    return schema


def errors_of(item, schemas):
    """What is wrong with an object by its schema; None where there is no schema to tell."""
    if is_built_in(item):
        try:
            for version in KUBERNETES:
                kubernetes_validate.validate(item, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            path = ".".join(str(part) for part in error.path)
            return [f"{path or 'object'}: {error.message} (Kubernetes {version})"]
        return []
    if schemas is None:
        return None
    schema = custom_schema(schemas, item)
    if schema is None:
        return [f"CRD_SCHEMAS has no schema for {item['apiVersion']} {item['kind']}"]
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(item)]


def misspelled(item):
    """The object with one field of its spec misspelled."""
    wrong = copy.deepcopy(item)
    field = next(iter(wrong["spec"]))
    wrong["spec"][field + "x"] = wrong["spec"].pop(field)
    return wrong


def check_schemas(found, schemas):
    built_in, custom, unchecked, controls = 0, 0, set(), set()
    for name, items in found.items():
        for item in items:
            errors = errors_of(item, schemas)
            if errors is None:
                unchecked.add(item["kind"])
                continue
            for error in errors:
                problem(name, f"{name_of(item)}: {error}")
            built_in, custom = (built_in + 1, custom) if is_built_in(item) else (built_in, custom + 1)
            # A check that lets a misspelled field pass would say nothing about the others.
            if item["kind"] not in controls and item.get("spec"):
                controls.add(item["kind"])
                if not errors_of(misspelled(item), schemas):
                    problem(name, f"a misspelled field in a {item['kind']} goes unnoticed")
    print(f"  {built_in} built-in objects against the schemas of Kubernetes {' and '.join(KUBERNETES)}, strictly")
    print(f"  {custom} custom resources against CRD_SCHEMAS")
    print(f"  a misspelled field is noticed in each of {len(controls)} kinds")
    if unchecked:
        print(f"  NOT CHECKED, since CRD_SCHEMAS names no folder of schemas: {', '.join(sorted(unchecked))}")


# What fits together


def pods_of(items):
    for item in items:
        if item["kind"] in ("Deployment", "StatefulSet"):
            yield item, item["spec"]["template"]


def namespace(item):
    return item["metadata"].get("namespace", "default")


def matches(labels, selector):
    return all(labels.get(key) == value for key, value in selector.items())


def check_references(name, items):
    known = {(namespace(item), item["kind"], item["metadata"]["name"]) for item in items}
    for item, pod in pods_of(items):
        spec = pod["spec"]
        wanted = [("ServiceAccount", spec["serviceAccountName"])]
        claimed = {claim["metadata"]["name"] for claim in item["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in spec.get("volumes", [])} | claimed
        for volume in spec.get("volumes", []):
            for source in [volume, *volume.get("projected", {}).get("sources", [])]:
                if "configMap" in source:
                    wanted.append(("ConfigMap", source["configMap"]["name"]))
                if "secret" in source:
                    wanted.append(("Secret", source["secret"].get("secretName") or source["secret"]["name"]))
            if "persistentVolumeClaim" in volume:
                wanted.append(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            wanted += [("ConfigMap", source["configMapRef"]["name"]) for source in container.get("envFrom", [])]
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    problem(name, f"{name_of(item)} mounts {mount['name']}, which is no volume of it")
        for kind, reference in wanted:
            if (namespace(item), kind, reference) not in known and (
                name.split("/")[-1],
                kind,
                reference,
            ) not in BROUGHT_BY_THE_USER:
                problem(name, f"{name_of(item)} needs the {kind} {reference}, which is not there")


def check_selectors(name, items):
    pods = [(item, pod) for item, pod in pods_of(items)]
    if not pods:
        return
    for item in items:
        if item["kind"] not in ("Service", "PodDisruptionBudget"):
            continue
        selector = item["spec"]["selector"]
        selector = selector.get("matchLabels", selector)
        selected = [
            (owner, pod)
            for owner, pod in pods
            if namespace(owner) == namespace(item) and matches(pod["metadata"]["labels"], selector)
        ]
        if len(selected) != 1 and namespace(item) not in ("ingress-nginx", "kube-system"):
            problem(name, f"{name_of(item)} selects the pods of {len(selected)} workloads, not of one")
        for port in item["spec"].get("ports", []) if selected else []:
            ports = [p for container in selected[0][1]["spec"]["containers"] for p in container.get("ports", [])]
            target = port.get("targetPort", port["port"])
            if not any(target in (p.get("name"), p["containerPort"]) for p in ports):
                problem(name, f"{name_of(item)} sends {port['name']} to {target}, which no container has")
        if item["kind"] == "PodDisruptionBudget":
            rules = {"minAvailable", "maxUnavailable"} & set(item["spec"])
            if rules != {"maxUnavailable"} or item["spec"]["maxUnavailable"] != 1:
                problem(name, f"{name_of(item)} must have maxUnavailable 1 and nothing beside, and has {sorted(rules)}")
    for item, pod in pods:
        if not matches(pod["metadata"]["labels"], item["spec"]["selector"]["matchLabels"]):
            problem(name, f"{name_of(item)} does not select its own pods")


# What the pipeline's users rely on


def check_pipeline(name, items):
    deployments = {
        item["metadata"]["name"]: item
        for item in items
        if item["kind"] == "Deployment" and namespace(item) == "order-pipeline"
    }
    if not deployments:
        return 0
    services = {item["metadata"]["name"]: item for item in items if item["kind"] == "Service"}
    settings = next(
        item for item in items if item["kind"] == "ConfigMap" and item["metadata"]["name"] == "order-pipeline"
    )["data"]
    scaled = any(item["kind"] in ("ScaledObject", "HorizontalPodAutoscaler") for item in items)

    def expect(service, what, found, wanted):
        if found != wanted:
            problem(name, f"{service}: {what} is {found!r}, not {wanted!r}")

    expect("order-pipeline", "the set of Deployments", sorted(deployments), sorted(SERVICES))
    expect("order-pipeline", "RABBITMQ_HOST", settings["RABBITMQ_HOST"], "rabbitmq.rabbitmq.svc.cluster.local")
    expect("order-pipeline", "RABBITMQ_USER", settings["RABBITMQ_USER"], "admin")
    for key in settings:
        if key.startswith("PIPELINE_") and key not in SETTINGS:
            problem(name, f"the ConfigMap sets {key}, which pipeline-run does not know")
    for service, (role, port, replicas) in SERVICES.items():
        if service not in deployments:
            continue
        spec = deployments[service]["spec"]
        pod = spec["template"]["spec"]
        container = pod["containers"][0]
        if not (scaled and "replicas" not in spec):
            expect(service, "replicas", spec.get("replicas"), replicas)
        expect(service, "the label app", spec["template"]["metadata"]["labels"].get("app"), service)
        expect(service, "the image", container["image"], f"order-pipeline:{VERSION}")
        expect(service, "the arguments", container["args"], [role, "--log-format", "json"])
        expect(service, "the port of the Service", [p["port"] for p in services[service]["spec"]["ports"]], [port])
        expect(service, "the container's port", [p["containerPort"] for p in container["ports"]], [port])
        expect(service, "enableServiceLinks", pod.get("enableServiceLinks"), False)
        expect(service, "a preStop hook", container.get("lifecycle"), None)
        for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
            expect(service, f"the path of {probe}", container[probe]["httpGet"]["path"], path)
        attempts = float(settings["PIPELINE_CONNECT_ATTEMPTS"]) * float(settings["PIPELINE_CONNECT_DELAY"])
        startup = container["startupProbe"]
        if startup["periodSeconds"] * startup["failureThreshold"] <= attempts:
            problem(name, f"{service}: the startup probe gives up before the first connection does ({attempts:.0f} s)")
        if pod["terminationGracePeriodSeconds"] <= float(settings["PIPELINE_DRAIN_TIMEOUT"]):
            problem(name, f"{service}: terminationGracePeriodSeconds is not above PIPELINE_DRAIN_TIMEOUT")
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        if str(pathlib.PurePosixPath(settings["RABBITMQ_PASSWORD_FILE"]).parent) not in mounts:
            problem(name, f"{service}: RABBITMQ_PASSWORD_FILE lies in no mounted folder")
        if settings["PIPELINE_STATE_DIR"] not in mounts:
            problem(name, f"{service}: PIPELINE_STATE_DIR is no mounted folder")
        # Who consumes writes large bodies into files there, since the root is read-only. In memory they would be memory.
        spool = next((mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == "/tmp"), None)
        volume = next((volume for volume in pod["volumes"] if volume["name"] == spool), {})
        if role != "generator" and list(volume.get("emptyDir", {})) != ["sizeLimit"]:
            problem(name, f"{service}: /tmp is no emptyDir on disk with a sizeLimit")
        if any(entry["name"].startswith("RABBITMQ_PASSWORD") for entry in container.get("env", [])):
            problem(name, f"{service}: the password is in the environment, not in a file")
    return 1


def check_users(name, items):
    """On OpenShift no user or group is named; elsewhere the pods name those of the image."""
    for item, pod in pods_of(items):
        if namespace(item) != "order-pipeline":
            continue
        security = pod["spec"]["securityContext"]
        named = {"runAsUser", "runAsGroup", "fsGroup"} & set(security)
        if security.get("runAsNonRoot") is not True:
            problem(name, f"{name_of(item)} may run as root")
        if len(named) != (0 if "openshift" in name else 3):
            problem(name, f"{name_of(item)} names {sorted(named)}")


def check_name_servers(name, items):
    """Whoever may reach anything may reach name servers, in the cluster or on the node, on both ports that they use."""
    for item in items:
        if item["kind"] != "NetworkPolicy" or not item["spec"].get("egress"):
            continue
        open_to = {
            (port["port"], port.get("protocol", "TCP"), peer.get("ipBlock", {}).get("cidr", "cluster"))
            for rule in item["spec"]["egress"]
            for port in rule["ports"]
            for peer in rule["to"]
        }
        for port in (53, 5353):
            for protocol in ("UDP", "TCP"):
                for place in ("cluster", "169.254.20.10/32"):
                    if (port, protocol, place) not in open_to:
                        problem(name, f"{name_of(item)} lets no {protocol} to port {port} of {place} through")


def check_broker(name, items):
    """RabbitMQ is of a supported version, but where its folder says otherwise; what that version ignores is not set."""
    wanted = "3.13" if "3.13" in name else "4.3"
    text = yaml.safe_dump_all(items)
    for image in re.findall(r"image: (rabbitmq:\S+)", text):
        if image != f"rabbitmq:{wanted}-management-alpine":
            problem(name, f"the broker is {image}, not {wanted}")
    if "cluster_partition_handling" in text and wanted != "3.13":
        problem(name, f"RabbitMQ {wanted} does not heed cluster_partition_handling")


def check_seed_path():
    folder = ROOT / "apps" / "order-pipeline"
    wanted = ["configmap.yaml", "deployments.yaml", "kustomization.yaml", "namespace.yaml", "services.yaml"]
    found = sorted(file.name for file in folder.iterdir())
    if found != wanted:
        problem("apps/order-pipeline", f"holds {found}, not {wanted}")


def check_security(found):
    """checkov's findings must be exactly those that accepted-findings.yaml lists."""
    # Not below .build: checkov passes over folders whose names begin with a dot.
    with tempfile.TemporaryDirectory() as folder:
        for name, items in found.items():
            built_in = [item for item in items if is_built_in(item)]
            if built_in:
                pathlib.Path(folder, f"{name.replace('/', '-')}.yaml").write_text(yaml.safe_dump_all(built_in))
        result = subprocess.run(
            [
                "checkov",
                "--directory",
                folder,
                "--framework",
                "kubernetes",
                "--output",
                "json",
                "--skip-download",
                "--quiet",
            ],
            capture_output=True,
            text=True,
        )
    try:
        report = json.loads(result.stdout)
        summary = report["summary"]
    except (json.JSONDecodeError, KeyError, TypeError):
        problem("checkov", f"gives no report: {(result.stdout + result.stderr)[-400:]}")
        return
    if summary["parsing_errors"] or not summary["passed"]:
        problem("checkov", f"{summary['parsing_errors']} files could not be read, {summary['passed']} checks passed")
    accepted = yaml.safe_load((ROOT / "deploy/checks/accepted-findings.yaml").read_text())
    used = set()
    for finding in report["results"]["failed_checks"]:
        check, resource = finding["check_id"], finding["resource"]
        fitting = [n for n, e in enumerate(accepted) if e["check"] == check and {resource, "*"} & set(e["resources"])]
        if not fitting:
            problem("checkov", f"{resource} in {finding['file_path']}: {check} {finding['check_name']}")
        else:
            used.update(fitting)
    for number, entry in enumerate(accepted):
        if number not in used:
            problem("checkov", f"accepted-findings.yaml lists {entry['check']}, which is not found any more")
    print(f"  checkov: {summary['passed']} checks passed, {summary['failed']} findings, each accepted with a reason")


def main():
    folder = os.environ.get("CRD_SCHEMAS")
    schemas = pathlib.Path(folder) if folder else None
    if schemas and not schemas.is_dir():
        sys.exit(f"CRD_SCHEMAS is {folder}, which is no folder; unset it, or name one with schemas")
    found = renderings()
    print(f"  {len(found)} kustomizations rendered: {', '.join(found)}")
    check_schemas(found, schemas)
    pipelines = 0
    for name, items in found.items():
        check_references(name, items)
        check_selectors(name, items)
        check_users(name, items)
        check_name_servers(name, items)
        check_broker(name, items)
        pipelines += check_pipeline(name, items)
    check_seed_path()
    print(f"  names, replicas, ports, probes, references: {pipelines} renderings with the pipeline")
    check_security(found)
    for line in problems:
        print(f"PROBLEM {line}", file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
