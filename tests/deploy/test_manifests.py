"""What deploy/docker and deploy/k8s say, read by the tools of those who will read it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from left_out import needed_program
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DOCKER, KUBERNETES = ROOT / "deploy/docker", ROOT / "deploy/k8s"
BIN = Path(sys.executable).parent
KUSTOMIZE_KINDS = {"Kustomization", "Component"}
FOREIGN_KINDS = {"ServiceMonitor"}
"""Of the Prometheus operator: Kubernetes has no schema for them."""


def documents(path: Path) -> list[dict[str, object]]:
    return list(YAML(typ="safe").load_all(path))


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run(
        [BIN / "hadolint", DOCKER / "Dockerfile"], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_each_object_is_one_that_kubernetes_knows() -> None:
    known = [
        path
        for path in sorted(KUBERNETES.rglob("*.yaml"))
        if not {document["kind"] for document in documents(path)} & (KUSTOMIZE_KINDS | FOREIGN_KINDS)
    ]
    assert len(known) >= 7
    done = subprocess.run(
        [BIN / "kubernetes-validate", "--strict", *known], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def pods() -> list[tuple[str, dict[str, object]]]:
    found = []
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        for document in documents(path):
            spec = document.get("spec")
            if document["kind"] in {"StatefulSet", "Deployment", "Job"} and isinstance(spec, dict):
                found.append((f"{document['kind']} in {path.name}", spec["template"]["spec"]))
    return found


@pytest.mark.parametrize(("name", "pod"), pods(), ids=lambda value: value if isinstance(value, str) else "")
def test_no_pod_runs_as_root_or_writes_its_root_and_each_has_limits(name: str, pod: dict[str, object]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True  # type: ignore[index]
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:  # type: ignore[attr-defined]
        context = container["securityContext"]
        assert context == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {"requests", "limits"} <= set(container["resources"]), name


def test_what_kustomize_is_sent_to_is_there() -> None:
    for path in KUBERNETES.rglob("kustomization.yaml"):
        (told,) = documents(path)
        for name in [*told.get("resources", []), *told.get("components", [])]:  # type: ignore[misc]
            aim = path.parent / name
            assert aim.is_file() or (aim / "kustomization.yaml").is_file(), f"{path}: {name}"


def test_the_compose_file_builds_stages_that_the_dockerfile_has_and_pins_the_rest() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", (DOCKER / "Dockerfile").read_text(), re.M))
    (compose,) = documents(DOCKER / "compose.yaml")
    services: dict[str, dict[str, object]] = compose["services"]  # type: ignore[assignment]
    for name, service in services.items():
        build = service.get("build")
        if isinstance(build, dict):
            assert build["target"] in stages, name
            assert service["read_only"] is True, name
            assert (DOCKER / build["context"]).resolve() == ROOT
        else:
            assert re.search(r":v?\d+\.\d+", str(service["image"])), f"{name} is pinned to no version"
        for volume in service.get("volumes", []):  # type: ignore[attr-defined]
            assert volume.split(":")[0] in compose["volumes"], name  # type: ignore[operator]
    assert {"daemon", "dashboard", "postgres", "mail"} <= set(services)


def test_the_first_start_writes_settings_once(tmp_path: Path) -> None:
    command = tmp_path / "ouroboros"
    command.write_text('#!/bin/sh\necho "asked: $*"\n')
    command.chmod(0o755)

    def start(*words: str) -> str:
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "OUROBOROS_HOME": str(tmp_path / "state")}
        return subprocess.check_output([DOCKER / "start", *words], env=environment, text=True, timeout=60)

    settings = tmp_path / "state/settings.json"
    settings.parent.mkdir()
    assert start("status", "--check") == "asked: status --check\n"
    assert not settings.exists()
    assert start("up", "--no-web") == "asked: up --no-web\n"
    assert '"host": "0.0.0.0"' in settings.read_text()
    settings.write_text("{}")
    assert start("dashboard") == "asked: dashboard\n"
    assert settings.read_text() == "{}"
    assert [path.name for path in settings.parent.iterdir()] == ["settings.json"]

    settings.unlink()
    (tmp_path / "ln").write_text("#!/bin/sh\nexit 1\n")  # a file system without hard links
    (tmp_path / "ln").chmod(0o755)
    start("up")
    assert '"host": "0.0.0.0"' in settings.read_text(), "else the pages listen where nobody is"
    settings.write_text("{}")
    start("up")
    assert settings.read_text() == "{}"
    assert [path.name for path in settings.parent.iterdir()] == ["settings.json"]


def test_a_state_folder_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "OUROBOROS_HOME": str(tmp_path / "absent")}
    done = subprocess.run(
        [DOCKER / "start", "up"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"cannot write to {tmp_path}/absent" in done.stderr


def test_the_scripts_pass_shellcheck() -> None:
    needed_program("shellcheck")
    scripts = [DOCKER / "start", ROOT / "deploy/cloud/start.sh", ROOT / ".ci/images", ROOT / ".ci/manifests"]
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout
