"""Properties of this computer, and readings of its sensors.

Nothing here needs the rights of an administrator. What cannot be read is said to be so,
with the reason, and no figure is made up for it. Files of the system are read below a
root, so that a folder can stand for a computer of another kind.

Sources: Linux's admin-guide (cpufreq, thermal, powercap, PSI in accounting/psi.rst);
energy counters have been readable by root alone since CVE-2020-8694.
"""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from medassist.bench.results import key_of

ROOT = Path("/")
CPU = "sys/devices/system/cpu"
RAPL = "sys/class/powercap"
BATTERY = "sys/class/power_supply"


@dataclass(frozen=True)
class SensorReading:
    """A sensor's value, or why there is none."""

    value: float | None
    why: str = ""


@dataclass(frozen=True)
class Energy:
    """A counter of energy, or a battery's power.

    Attributes:
        source: which; empty where none can be read.
        joules: of a counter that only rises.
        watts: of a battery.
        wraps: where the counter begins again, in joules.
        why: why nothing can be read.
    """

    source: str = ""
    joules: float | None = None
    watts: float | None = None
    wraps: float = 0.0
    why: str = ""


@dataclass(frozen=True)
class Machine:
    """Properties of the computer that a result depends on."""

    cpu: str
    cores: int
    """Physical ones."""
    threads: int
    """Logical ones."""
    performance_cores: int | None
    """Number of fast cores, if there are cores of two kinds; `None`: all are alike."""
    memory: int
    system: str
    python: str
    governor: str
    llama_cpp: str = ""
    """Version of llama-cpp-python."""
    commit: str = ""
    """Commit of llama.cpp."""
    features: tuple[str, ...] = ()
    not_readable: dict[str, str] = field(default_factory=dict[str, str])
    """Sensors that cannot be read here, and why."""

    @property
    def id(self) -> str:
        """Hash of the computer and the build of llama.cpp.

        Neither its name nor the user's goes into it.
        """
        return key_of(
            cpu=self.cpu,
            cores=self.cores,
            threads=self.threads,
            memory=round(self.memory / 2**30),
            llama_cpp=self.llama_cpp,
            commit=self.commit,
            features=self.features,
        )

    def as_json(self) -> dict[str, Any]:
        """The machine as a line of results holds it."""
        found = {"id": self.id, **asdict(self)}
        return {**found, "features": list(self.features)}


class Sensors:
    """Sensors in the system's files.

    Args:
        root: below which they lie.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root

    def frequency_mhz(self) -> SensorReading:
        """Mean frequency of the cores."""
        files = sorted(self.root.glob(f"{CPU}/cpu[0-9]*/cpufreq/scaling_cur_freq"))
        found = [value for file in files if (value := _number(file)) is not None]
        if not found:
            return SensorReading(None, "the system shows no frequency (cpufreq)")
        return SensorReading(sum(found) / len(found) / 1000)

    def governor(self) -> str:
        """Frequency governor; empty if unknown."""
        return _text(self.root / CPU / "cpu0/cpufreq/scaling_governor")

    def temperature_c(self) -> SensorReading:
        """Temperature of the hottest zone."""
        found = [
            value / 1000
            for file in self.root.glob("sys/class/thermal/thermal_zone*/temp")
            if (value := _number(file)) is not None
        ]
        if not found:
            return SensorReading(None, "the system shows no thermal zone")
        return SensorReading(max(found))

    def throttled(self) -> SensorReading:
        """Count of thermal throttling events."""
        files = self.root.glob(f"{CPU}/cpu[0-9]*/thermal_throttle/core_throttle_count")
        found = [value for file in files if (value := _number(file)) is not None]
        if not found:
            return SensorReading(
                None, "the processor counts no throttling that can be read"
            )
        return SensorReading(sum(found))

    def pressure(self) -> SensorReading:
        """Percent of the last 10 s in which a program waited for a core."""
        text = _text(self.root / "proc/pressure/cpu")
        some = re.search(r"^some avg10=([\d.]+)", text)
        if some is None:
            return SensorReading(None, "the system tells no pressure (PSI)")
        return SensorReading(float(some[1]))

    def energy(self) -> Energy:
        """The processor's energy counter, else the battery's power."""
        refused = ""
        total, wraps, names = 0.0, 0.0, 0
        for package in sorted(self.root.glob(f"{RAPL}/intel-rapl:[0-9]*")):
            if package.name.count(":") > 1:  # a part of a package
                continue
            try:
                total += int((package / "energy_uj").read_text("ascii")) / 1e6
                wraps += int((package / "max_energy_range_uj").read_text("ascii")) / 1e6
                names += 1
            except PermissionError:
                refused = "its counter (RAPL) is for the administrator alone"
            except (OSError, ValueError):
                continue
        if names and not refused:
            return Energy("the processor's counter (RAPL)", total, wraps=wraps)
        for battery in sorted(self.root.glob(f"{BATTERY}/BAT*")):
            if _text(battery / "status") != "Discharging":
                refused = refused or "the battery is not in use"
                continue
            watts = _battery_watts(battery)
            if watts is not None:
                return Energy(f"the battery {battery.name}", watts=watts)
        return Energy(why=refused or "there is neither a counter nor a battery")

    def battery_percent(self) -> float | None:
        """Battery charge when running on battery; else `None`."""
        for battery in sorted(self.root.glob(f"{BATTERY}/BAT*")):
            if _text(battery / "status") == "Discharging":
                return _number(battery / "capacity")
        return None

    def performance_cores(self) -> int | None:
        """Number of performance cores, where there are two kinds."""
        fast = _text(self.root / "sys/devices/cpu_core/cpus")
        if fast and _text(self.root / "sys/devices/cpu_atom/cpus"):
            return self._physical(_listed(fast))
        files = sorted(self.root.glob(f"{CPU}/cpu[0-9]*/cpu_capacity"))
        found = [value for file in files if (value := _number(file)) is not None]
        if found and min(found) < max(found):
            return sum(value == max(found) for value in found)
        return None

    def _physical(self, numbers: set[int]) -> int:
        """Logical cores without those that are a second thread of another."""
        first: set[str] = set()
        for number in numbers:
            file = self.root / CPU / f"cpu{number}/topology/thread_siblings_list"
            first.add(_text(file) or str(number))
        return len(first)


def this_machine(
    sensors: Sensors,
    llama_cpp: str = "",
    commit: str = "",
    features: tuple[str, ...] = (),
) -> Machine:
    """Examine this computer.

    Args:
        sensors: of it.
        llama_cpp: the version of llama-cpp-python that computes.
        commit: of llama.cpp.
        features: of the processor that it uses.
    """
    import psutil

    from medassist.core.processor import physical_cores

    readings = {
        "frequency": sensors.frequency_mhz().why,
        "temperature": sensors.temperature_c().why,
        "throttling": sensors.throttled().why,
        "energy": sensors.energy().why,
        "pressure": sensors.pressure().why,
    }
    return Machine(
        cpu=_cpu_name(sensors.root),
        cores=physical_cores(),
        threads=psutil.cpu_count() or 1,
        performance_cores=sensors.performance_cores(),
        memory=int(psutil.virtual_memory().total),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        governor=sensors.governor(),
        llama_cpp=llama_cpp,
        commit=commit,
        features=features,
        not_readable={name: why for name, why in readings.items() if why},
    )


def _cpu_name(root: Path) -> str:
    name = re.search(r"^model name\s*:\s*(.+)$", _text(root / "proc/cpuinfo"), re.M)
    if name is not None:
        return name[1].strip()
    if sys.platform == "darwin":
        import subprocess

        found = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"],
            capture_output=True,
            text=True,
            check=False,
        )
        if found.stdout.strip():
            return found.stdout.strip()
    return platform.processor() or platform.machine()


def _battery_watts(battery: Path) -> float | None:
    power = _number(battery / "power_now")
    if power is not None:
        return power / 1e6
    current = _number(battery / "current_now")
    voltage = _number(battery / "voltage_now")
    if current is None or voltage is None:
        return None
    return current * voltage / 1e12


def _listed(text: str) -> set[int]:
    """`0-3,8` as numbers."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (last or first).isdigit():
            found.update(range(int(first), int(last or first) + 1))
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(file: Path) -> float | None:
    try:
        return float(_text(file))
    except ValueError:
        return None
