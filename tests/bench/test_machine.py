"""Sensors are read below a folder that stands for a computer of another kind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from medassist.bench.machine import Sensors, this_machine

CPU = "sys/devices/system/cpu"


def computer(root: Path, files: dict[str, str]) -> Sensors:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    return Sensors(root)


LAPTOP = {
    f"{CPU}/cpu0/cpufreq/scaling_cur_freq": "2400000",
    f"{CPU}/cpu1/cpufreq/scaling_cur_freq": "1600000",
    f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave",
    f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "3",
    f"{CPU}/cpu1/thermal_throttle/core_throttle_count": "4",
    "sys/class/thermal/thermal_zone0/temp": "47000",
    "sys/class/thermal/thermal_zone1/temp": "71500",
    "proc/pressure/cpu": "some avg10=12.50 avg60=3.00 avg300=1.00 total=12345",
    "proc/stat": "cpu  100 0 50 900 5 0 1 250 0 0\ncpu0 1 2 3",
    "sys/class/powercap/intel-rapl:0/energy_uj": "5000000",
    "sys/class/powercap/intel-rapl:0/max_energy_range_uj": "262143000000",
    "sys/class/powercap/intel-rapl:0:0/energy_uj": "999",
}


def test_a_laptop_with_all_sensors_is_read(tmp_path):
    found = computer(tmp_path, LAPTOP)
    assert found.frequency_mhz().value == 2000
    assert found.governor() == "powersave"
    assert found.temperature_c().value == 71.5
    assert found.throttled().value == 7
    assert found.pressure().value == 12.5
    energy = found.energy()
    assert (energy.joules, energy.source) == (5.0, "the processor's counter (RAPL)")


def test_of_a_computer_without_sensors_it_is_said_why_nothing_is_read(tmp_path):
    found = Sensors(tmp_path)
    for reading in (
        found.frequency_mhz(),
        found.temperature_c(),
        found.throttled(),
        found.pressure(),
    ):
        assert reading.value is None and reading.why
    assert found.energy().why == "there is neither a counter nor a battery"
    why = this_machine(found).not_readable
    expected = {"frequency", "temperature", "throttling", "energy", "pressure"}
    assert set(why) == expected


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all"
)
def test_a_counter_for_root_alone_is_said_to_be_so(tmp_path):
    found = computer(tmp_path, LAPTOP)
    (tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj").chmod(0)
    assert "administrator" in found.energy().why


def test_a_refused_counter_is_said_to_be_so(tmp_path, monkeypatch):
    found = computer(tmp_path, LAPTOP)
    read = Path.read_text

    def refuse(file: Path, *args, **more):
        if file.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(file, *args, **more)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert "administrator" in found.energy().why


def battery(**files: str) -> dict[str, str]:
    return {f"sys/class/power_supply/BAT0/{k}": v for k, v in files.items()}


def test_a_battery_gives_power_while_it_is_used(tmp_path):
    used = battery(status="Discharging", power_now="9500000", capacity="8")
    found = computer(tmp_path / "a", used)
    assert found.energy().watts == 9.5
    assert found.battery_percent() == 8
    by_current = battery(
        status="Discharging", current_now="1000000", voltage_now="12000000"
    )
    assert computer(tmp_path / "b", by_current).energy().watts == 12
    full = computer(tmp_path / "c", battery(status="Full", power_now="0"))
    assert full.energy().why == "the battery is not in use"
    assert full.battery_percent() is None


def test_the_fast_cores_of_a_hybrid_processor_are_counted_once(tmp_path):
    siblings = {
        f"{CPU}/cpu{n}/topology/thread_siblings_list": f"{n // 2 * 2}-{n // 2 * 2 + 1}"
        for n in range(4)
    }
    intel = {
        "sys/devices/cpu_core/cpus": "0-3",
        "sys/devices/cpu_atom/cpus": "4-11",
        **siblings,
    }
    assert computer(tmp_path / "intel", intel).performance_cores() == 2
    arm = {f"{CPU}/cpu{n}/cpu_capacity": "1024" if n > 3 else "400" for n in range(8)}
    assert computer(tmp_path / "arm", arm).performance_cores() == 4
    assert Sensors(tmp_path / "none").performance_cores() is None


def test_the_machine_tells_neither_its_name_nor_the_users(monkeypatch):
    import getpass
    import platform

    text = str(this_machine(Sensors()).as_json())
    assert platform.node() not in text
    assert f"/{getpass.getuser()}/" not in text


def test_another_build_is_another_machine():
    one = this_machine(Sensors(), "0.3.36", "abc")
    assert this_machine(Sensors(), "0.3.36", "abc").id == one.id
    assert this_machine(Sensors(), "0.3.36", "def").id != one.id
