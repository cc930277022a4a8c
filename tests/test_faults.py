"""A study that is killed again and again comes out as one that was left alone."""

import pytest
from faults import campaign

pytestmark = pytest.mark.workflow


def test_five_kills_change_nothing(tmp_path):
    """The short form of `make faults`."""
    kills = campaign.campaign(tmp_path, number=5, targeted=False, seed=0)
    assert len(kills) == 5
    assert all(kill.survived for kill in kills), campaign.table(kills)
