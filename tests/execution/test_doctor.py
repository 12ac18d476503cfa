from __future__ import annotations

import pytest

from codepref.errors import MachineError
from codepref.execution import worker
from codepref.execution.doctor import ATTACKS, examine

pytestmark = pytest.mark.xdist_group("execution")


def test_the_doctor_reports_five_refused_attacks():
    lines = list(examine())
    assert len(ATTACKS) == 5
    assert sum(": refused (" in line for line in lines) == 5
    assert lines[-1] == "untrusted programs are confined on this machine"


def test_without_landlock_the_doctor_says_what_is_needed(monkeypatch):
    import sandlock

    monkeypatch.setattr(sandlock, "landlock_abi_version", lambda: 0)
    worker.check_machine.cache_clear()
    try:
        with pytest.raises(MachineError, match=r"Linux 5\.13"):
            list(examine())
    finally:
        worker.check_machine.cache_clear()
