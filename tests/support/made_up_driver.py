"""A made-up NVIDIA driver: a real `libnvidia-ml.so.1`, compiled here, that hangs, fails or crashes as a test wants."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

LIBRARY = "libnvidia-ml.so.1"

_SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What it does stands in the file that MADE_UP_DRIVER names, read anew at each call: `hang CALL`, `crash CALL`,
   `error CALL NUMBER`, `error CALL NUMBER DEVICE`, `count N`, `used BYTES`. CALL is init, count, handle, uuid, name,
   memory, use, processes. */
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int gpu, memory; } use_t;

static int setting(const char *verb, const char *call, long device, long long *value) {
  char line[200], a[40], b[40];
  const char *path = getenv("MADE_UP_DRIVER");
  FILE *file = path ? fopen(path, "r") : NULL;
  int found = 0;
  while (file && !found && fgets(line, sizeof line, file)) {
    long long number = 0; long which = -1;
    int words = sscanf(line, "%39s %39s %lld %ld", a, b, &number, &which);
    if (words < 2 || strcmp(a, verb)) continue;
    if (call == NULL) { *value = atoll(b); found = 1; }
    else if (!strcmp(b, call) && (words < 4 || which == device)) { *value = number; found = 1; }
  }
  if (file) fclose(file);
  return found;
}
static int at(const char *call, long device) {
  long long number;
  if (setting("hang", call, device, &number)) for (;;) pause();
  if (setting("crash", call, device, &number)) abort();
  return setting("error", call, device, &number) ? (int)number : 0;
}
static long device_of(void *handle) { return (long)handle - 1; }

int nvmlInitWithFlags(unsigned int flags) { printf("the library talks\n"); fflush(stdout); return at("init", -1); }
int nvmlInit_v2(void) { return at("init", -1); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int error) { return error == 15 ? "GPU is lost" : "made-up error"; }
int nvmlDeviceGetCount_v2(unsigned int *count) {
  long long wanted = 1; setting("count", NULL, 0, &wanted); *count = (unsigned int)wanted; return at("count", -1);
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **handle) {
  *handle = (void *)((long)index + 1); return at("handle", index);
}
int nvmlDeviceGetUUID(void *handle, char *out, unsigned int length) {
  snprintf(out, length, "GPU-%ld", device_of(handle)); return at("uuid", device_of(handle));
}
int nvmlDeviceGetName(void *handle, char *out, unsigned int length) {
  snprintf(out, length, "Made-up %ld", device_of(handle)); return at("name", device_of(handle));
}
int nvmlDeviceGetMemoryInfo(void *handle, memory_t *out) {
  long long used = 1LL << 30; setting("used", NULL, 0, &used);
  out->total = 24ULL << 30; out->used = used; out->free = out->total - used; return at("memory", device_of(handle));
}
int nvmlDeviceGetUtilizationRates(void *handle, use_t *out) {
  out->gpu = 3; out->memory = 0; return at("use", device_of(handle));
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned int *count, void *out) {
  *count = 0; return at("processes", device_of(handle));
}
"""


class MadeUpDriver:
    """The library's folder, and what the library does from now on, for every process that has loaded it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._script = folder / "script"
        self.does()

    def does(self, *lines: str) -> None:
        """See the source; without a line it works: one GPU, 23 of 24 GiB free."""
        written = self._script.with_suffix(".new")
        written.write_text("".join(f"{line}\n" for line in lines))
        written.replace(self._script)

    @property
    def environment(self) -> dict[str, str]:
        """For a process that shall find this driver."""
        others = os.environ.get("LD_LIBRARY_PATH")
        path = f"{self.folder}:{others}" if others else str(self.folder)
        return {"LD_LIBRARY_PATH": path, "MADE_UP_DRIVER": str(self._script)}


def compiled(folder: Path) -> Path:
    """Compile the library into `folder`; skips without a C compiler, unless every test must run."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        if os.environ.get("OUROBOROS_TESTS_REQUIRE_ALL") == "1":
            pytest.fail("there is no C compiler, and every test must run")
        pytest.skip("there is no C compiler to make a driver up with")
    source = folder / "driver.c"
    source.write_text(_SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / LIBRARY, source], check=True, timeout=120)
    return folder / LIBRARY
